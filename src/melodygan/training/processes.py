"""Data-parallel training: every process takes its part of each batch, and gradients are averaged.

The processes are started by `accelerate launch` and joined by Accelerate (NCCL between GPUs, gloo
between CPUs). Gradients are averaged here, after `backward`, instead of by wrapping each network:
GANs freeze networks and differentiate twice, which such wrappers do not take.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime


@dataclass(frozen=True)
class Processes:
    """This process's place among those of the run. Without others, all methods do nothing."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that validates, prints and writes."""
        return self.rank == 0

    def part(self, tensor: Tensor) -> Tensor:
        """This process's part of a batch, cut along the first axis."""
        return tensor.tensor_split(self.count)[self.rank] if self.count > 1 else tensor

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over the processes, by one exchange."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def gather(self, tensor: Tensor) -> Tensor:
        """All processes' tensors (of one shape) joined along the first axis, by rank."""
        if self.count == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def agree(self, flag: bool, device: torch.device) -> bool:
        """What the first process says."""
        if self.count == 1:
            return flag
        said = torch.tensor(int(flag), device=device)
        dist.broadcast(said, 0)
        return bool(said)

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the exchange; all but the first process end, as the rest of the stage is its work."""
        if self.count > 1:
            dist.barrier()
            dist.destroy_process_group()
            if not self.first:
                sys.exit(0)


def join(runtime: Runtime, batch_size: int) -> Processes:
    """Enter the run's processes; starts them, in this one's place, if `runtime` wants several.

    Raises UserError when the batch cannot be dealt out evenly.
    """
    count = int(os.environ.get("WORLD_SIZE", runtime.processes))
    if batch_size % count:
        raise UserError(
            f"batch_size {batch_size} is not a multiple of the {count} processes "
            "(runtime.processes in params.yaml): change one of them"
        )
    if count == 1:
        return Processes()
    if "LOCAL_RANK" not in os.environ:
        _launch(count)
    from accelerate.state import PartialState  # seconds to import

    state = PartialState(cpu=runtime.device == "cpu" or not torch.cuda.is_available())
    return Processes(state.process_index, state.num_processes)


def _launch(count: int) -> None:
    """Start this script again in `count` processes; the launcher takes this process's place."""
    arguments = {
        "--num_processes": str(count),
        "--num_machines": "1",
        "--mixed_precision": "no",  # the loop's own business
        "--dynamo_backend": "no",
        "--main_process_port": "0",
    }
    flat = [word for pair in arguments.items() for word in pair]
    module = ["-m", "accelerate.commands.launch", "--multi_gpu"]  # which also is the way to gloo
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *module, *flat, *sys.argv])
