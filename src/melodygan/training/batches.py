"""Batches made ahead of the step that needs them, in threads, each a function of (seed, step)."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from melodygan.training.processes import Processes
from melodygan.training.task import Batch, Task


@contextmanager
def batches(
    task: Task, seed: int, steps: range, device: torch.device, loaders: int, processes: Processes
) -> Iterator[Iterator[Batch]]:
    """Yield an iterator over the batches of `steps`, on the device.

    loaders: threads that work ahead; 0 makes each batch when it is asked for. The number changes
    no batch. Memory: at most loaders + 1 batches are kept.
    """

    def make(step: int) -> Batch:
        batch = task.batch(np.random.default_rng([seed, step]))
        parts = {key: processes.part(value) for key, value in batch.items()}
        if device.type == "cuda":  # pinned memory is copied while the GPU computes
            parts = {key: value.pin_memory() for key, value in parts.items()}
        return parts

    if loaders == 0:
        yield (_to(make(step), device) for step in steps)
        return
    with ThreadPoolExecutor(loaders, "batches") as pool:
        yield _ahead(pool, make, steps, device, loaders + 1)
        pool.shutdown(cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor,
    make: Callable[[int], Batch],
    steps: range,
    device: torch.device,
    depth: int,
) -> Iterator[Batch]:
    queue: deque[Future[Batch]] = deque()
    for step in steps:
        while len(queue) < depth and step + len(queue) < steps.stop:
            queue.append(pool.submit(make, step + len(queue)))
        yield _to(queue.popleft().result(), device)


def _to(batch: Batch, device: torch.device) -> Batch:
    return {key: value.to(device, non_blocking=True) for key, value in batch.items()}
