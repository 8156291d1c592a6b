"""Where and how a run computes: device, threads, precision, compilation."""

from contextlib import AbstractContextManager

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime
from melodygan.training.task import Task


def start_device(runtime: Runtime) -> torch.device:
    """Set torch's threads and determinism for this process, and choose the device."""
    torch.set_num_threads(runtime.thread_count)
    if runtime.compile:
        torch.use_deterministic_algorithms(True, warn_only=True)  # tells the compiler too
    else:
        torch.set_deterministic_debug_mode("warn")  # the same, without importing the compiler
    # or every new tensor is filled with NaN first, a kernel more for each on a GPU and up to 2 %
    # of a step on a CPU, though no sound operation reads what it has not written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "params.yaml: runtime.device is cuda, but torch finds no GPU: set it to auto, "
            "or run `melodygan doctor`"
        )
    if runtime.device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())  # Accelerate chose it by local rank


def place(task: Task, device: torch.device, runtime: Runtime) -> None:
    """Move the task's modules to the device; compile those that may be, if that is wanted."""
    for module in (*task.networks.values(), *task.helpers):
        module.to(device)
        if task.channels_last:  # convolutions then give their outputs this layout too
            convert_conv2d_weight_memory_format(module, torch.channels_last)
    if runtime.compile:
        for name in task.compiled:
            task.networks[name].compile()


def precision(runtime: Runtime, device: torch.device) -> AbstractContextManager[None]:
    """Autocast for a forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=runtime.precision == "bf16")
