"""Where and how a run computes: device, threads, precision, compilation."""

from contextlib import AbstractContextManager

import torch

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime
from melodygan.training.task import Task


def start_device(runtime: Runtime) -> torch.device:
    """Set torch's threads and determinism for this process, and choose the device."""
    torch.set_num_threads(runtime.thread_count)
    torch.use_deterministic_algorithms(True, warn_only=True)
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
    if runtime.compile:
        for name in task.compiled:
            task.networks[name].compile()


def precision(runtime: Runtime, device: torch.device) -> AbstractContextManager[None]:
    """Autocast for a forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=runtime.precision == "bf16")
