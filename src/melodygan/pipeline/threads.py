"""Work on several threads: copies, hashes, matrices, all that leaves the interpreter to others."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from melodygan.pipeline.runtime import physical_cores

T = TypeVar("T")


def side_by_side(work: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> list[T]:
    """`work(*call)` of every call, in their order, on a thread per physical core.

    Torch's settings of the thread that calls hold in the others too, but not its modes, such as
    `no_grad`. Raises what the first failing call raises.
    """
    with ThreadPoolExecutor(physical_cores()) as pool:
        return list(pool.map(lambda call: work(*call), calls))
