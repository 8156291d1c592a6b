"""Who uses a cache folder at the moment: a lock on the file `<folder>.lock` beside it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def shared(folder: Path) -> BinaryIO:
    """Wait for whoever clears the folder, then keep it from being cleared until this is closed."""
    lock = _file(folder)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


@contextmanager
def exclusive(folder: Path) -> Iterator[bool]:
    """Whether nobody uses the folder; if so, whoever wants to waits for the end of the block."""
    with _file(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _file(folder: Path) -> BinaryIO:
    return folder.with_name(f"{folder.name}.lock").open("ab")
