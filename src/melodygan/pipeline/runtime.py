"""Machine settings: params group `runtime`, on which no stage's result may depend."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from melodygan.pipeline.params import Range, load


@dataclass(frozen=True)
class Runtime:
    """Settings of this machine; 0 means one per physical core."""

    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["fp32", "bf16"]
    threads: Annotated[int, Range(ge=0)]
    processes: Annotated[int, Range(ge=1)]
    workers: Annotated[int, Range(ge=0)]
    track_seconds: Annotated[float, Range(ge=0)]  # 0: for ever
    backend: Literal["local", "dask"]
    dask_scheduler: str
    loaders: Annotated[int, Range(ge=0)]
    compile: bool
    checkpoint_seconds: Annotated[float, Range(ge=0)]
    dvclive: bool
    tensorboard: bool

    @staticmethod
    def read() -> "Runtime":
        """The `runtime` group of ./params.yaml."""
        return load(Runtime, "runtime")

    @property
    def thread_count(self) -> int:
        """Torch threads of one training process."""
        return self.threads or physical_cores()

    @property
    def worker_count(self) -> int:
        """Processes for per-track work."""
        return self.workers or physical_cores()


def physical_cores() -> int:
    """Of those that this process may use."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))


def repository_root() -> Path:
    """The main workspace: DVC sets DVC_ROOT to it even inside temporary and queued experiments."""
    return Path(os.environ.get("DVC_ROOT") or ".").resolve()


def cache_root() -> Path:
    """Side caches live outside every stage output, so DVC neither deletes nor restores them."""
    return repository_root() / ".cache"
