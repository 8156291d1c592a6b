"""How far the making of sound is: a bar on a terminal, or whoever wants to know."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from tqdm import tqdm

Tell = Callable[[str, float], None]
Rows = TypeVar("Rows", bound=Any)
_tell: ContextVar[Tell | None] = ContextVar("tell", default=None)


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """Within the block no bar is drawn; `tell` is called with what is done, and its share of 1."""
    token = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(token)


def shown(pieces: Iterable[Rows], total: int, what: str) -> Iterator[Rows]:
    """The pieces, and meanwhile how many of their `total` rows are done."""
    tell = _tell.get()
    if tell is None:
        with tqdm(desc=what, total=total, unit_scale=True, disable=None) as bar:
            for piece in pieces:
                yield piece
                bar.update(len(piece))
        return
    done = 0
    tell(what, 0.0)
    for piece in pieces:
        yield piece
        done += len(piece)
        tell(what, min(done / max(total, 1), 1.0))
