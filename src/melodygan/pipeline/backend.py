"""Where per-track work runs: threads of this process, by joblib, or an existing Dask cluster.

Both only supervise child processes (`pipeline/child.py`), which do the work.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

import joblib

from melodygan.pipeline.child import close_all
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime

Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]  # as joblib.delayed makes it
Run = Callable[[Sequence[Task]], Iterator[Any]]
Killed = Callable[[Task, str], Any]
_ANSWER = 10.0  # s in which a scheduler that is there answers
_PATIENCE = 20.0  # s without any worker, after which the cluster is taken for gone
_GATHER = 5.0  # s in which a result comes from its worker


@contextmanager
def parallel(runtime: Runtime, tasks: int, killed: Killed) -> Iterator[Run]:
    """Yield a function that runs joblib tasks and gives their results in any order.

    tasks: how many there will be; without any nothing is started or connected. killed: makes the
    result of a task that takes its Dask worker along whenever it is tried, from it and the reason.
    Raises UserError when the Dask cluster cannot be reached, has no workers or is lost.
    """
    if not tasks:
        yield lambda _: iter(())
    elif runtime.backend == "dask":
        with _dask(runtime.dask_scheduler) as client:
            yield lambda tasks: _on_cluster(client, tasks, killed)
    else:
        workers = min(runtime.worker_count, tasks)
        pool = joblib.Parallel(workers, backend="threading", return_as="generator_unordered")
        try:
            yield pool
        finally:
            close_all()


@contextmanager
def _dask(scheduler: str) -> Iterator[Any]:
    """A client of the cluster; children that idle on its workers are ended with it."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "runtime.backend is dask, which is not installed: `uv sync --extra dask`"
        ) from None
    try:
        client = Client(scheduler, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"runtime.dask_scheduler: no answer from {scheduler} ({error}): start one with "
            "`dask scheduler`, or set runtime.backend to local"
        ) from None
    # what they tell comes as errors too; asyncio tells what the client no longer waits for
    for name in ("asyncio", "distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with client:
        try:
            yield client
        finally:
            # what there is of a cluster that is lost; its CancelledError is no OSError
            with suppress(OSError, RuntimeError, CancelledError):
                client.run(close_all)


def _on_cluster(client: Any, tasks: Sequence[Task], killed: Killed) -> Iterator[Any]:
    """Each task runs on some worker; tasks of a worker that dies run elsewhere.

    Dask gives up a task after some deaths of workers that had it, guilty or not: so such a task
    is tried once more, alone.
    """
    suspects = []
    for task, result, dead in _results(client, tasks):
        if dead:
            suspects.append(task)
        else:
            yield result
    for task in suspects:
        for _, result, dead in _results(client, [task]):
            yield killed(task, f"took its Dask worker along ({dead})") if dead else result


def _results(client: Any, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any, str]]:
    """Each task with its result, or with why Dask gave it up."""
    from distributed import KilledWorker, as_completed

    address = client.scheduler.address
    futures = {
        client.submit(function, *arguments, **named, pure=False): (function, arguments, named)
        for function, arguments, named in tasks
    }
    waiting = as_completed(futures, loop=client.loop)
    while not waiting.is_empty():
        for future in _next(client, waiting, address):
            try:
                result = future.result(timeout=_GATHER)
            except KilledWorker as error:
                yield futures.pop(future), None, str(error).splitlines()[0]
            except (CancelledError, OSError) as error:
                if future.status == "error":  # the task's own
                    raise
                if not isinstance(error, TimeoutError):
                    raise _lost(address) from None
                waiting.add(future)  # its worker died with the result: it is done once more
            else:
                yield futures.pop(future), result, ""


def _next(client: Any, waiting: Any, address: str) -> list[Any]:
    """Futures that have ended; UserError when there has been no worker for some time."""
    began = asked = time.monotonic()
    while not (ended := waiting.next_batch(block=False)):
        time.sleep(0.05)
        if time.monotonic() > asked + 1:
            asked = time.monotonic()
            try:
                workers = client.ncores()
            except (OSError, RuntimeError):  # the latter: the client has ended its connections
                raise _lost(address) from None
            if workers:
                began = asked
            elif asked > began + _PATIENCE:
                raise UserError(
                    f"the Dask scheduler at {address} has no workers: start some with "
                    "`dask worker` and run `dvc repro`: tracks that are done stay done"
                )
    return list(ended)


def _lost(address: str) -> UserError:
    return UserError(
        f"the Dask scheduler at {address} is lost: start it and its workers again and run "
        "`dvc repro`: tracks that are done stay done"
    )
