"""Who uses a folder of a side cache at the moment: locks that the kernel releases after any kill.

Many may read per-track results while nobody clears them (`shared`, `exclusive`: `<folder>.lock`
beside the folder); a run's folder of checkpoints has one user (`hold`: the file `lock` in it).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from melodygan.pipeline.files import remove

LOCK = "lock"
FINISHED = "finished"  # marks a folder of checkpoints: the stage of that run has succeeded


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


def hold(folder: Path) -> BinaryIO | None:
    """Make `folder` if need be and lock it until the result is closed; None if another has it.

    Who holds a folder may remove it with all that is in it.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = (folder / LOCK).open("ab")
        except FileNotFoundError:
            continue  # who held it has just removed it
        except IsADirectoryError:
            remove(folder / LOCK)  # not ours
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), (folder / LOCK).stat()):
                return lock
        except FileNotFoundError:
            pass
        except BlockingIOError:
            lock.close()
            return None
        lock.close()


def _file(folder: Path) -> BinaryIO:
    return folder.with_name(f"{folder.name}.lock").open("ab")
