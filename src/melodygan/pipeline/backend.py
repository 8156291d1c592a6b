"""Where per-track work runs: threads of this process, or an existing Dask cluster; by joblib.

Both only supervise child processes (`pipeline/child.py`), which do the work.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib

from melodygan.pipeline.child import close_all
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime

Run = Callable[[Sequence[Any]], Iterator[Any]]


@contextmanager
def parallel(runtime: Runtime, tasks: int) -> Iterator[Run]:
    """Yield a function that runs joblib tasks and gives their results in any order.

    tasks: how many there will be; without any nothing is started or connected.
    Raises UserError when the Dask cluster cannot be reached.
    """
    if not tasks:
        yield lambda _: iter(())
    elif runtime.backend == "dask":
        with _dask(runtime.dask_scheduler) as run:
            yield run
    else:
        workers = min(runtime.worker_count, tasks)
        pool = joblib.Parallel(workers, backend="threading", return_as="generator_unordered")
        try:
            yield pool
        finally:
            close_all()


@contextmanager
def _dask(scheduler: str) -> Iterator[Run]:
    """Each task runs on some worker of the cluster; tasks of a worker that dies run elsewhere."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "runtime.backend is dask, which is not installed: `uv sync --extra dask`"
        ) from None
    try:
        client = Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"runtime.dask_scheduler: no answer from {scheduler} ({error}): start one with "
            "`dask scheduler`, or set runtime.backend to local"
        ) from None
    with client:
        try:
            with joblib.parallel_config(backend="dask", client=client, n_jobs=-1):
                # each task is long beside the cost of sending it, and few are lost with a worker
                yield joblib.Parallel(batch_size=1)
        finally:
            client.run(close_all)
