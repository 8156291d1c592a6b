"""Downloaded bytes by their SHA-256, so that nothing is fetched twice and nothing is half there.

Beside the files lie folders for what is not yet complete: `<name>.part` for a download, which the
next run goes on with, and `<name>.tmp` for a copy. Whoever works in one holds a lock on it.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from melodygan.pipeline.errors import FULL, UserError
from melodygan.pipeline.files import sha256_file
from melodygan.pipeline.runtime import cache_root

_BLOCK = 1 << 20  # bytes
_IDLE = 7 * 86400.0  # s after which a download that broke off is not expected to go on
_LOCK = "lock"


class DiskFull(UserError):
    """No room to write; whatever else is tried will end in the same way."""


def disk_full(error: BaseException | None, where: Path) -> DiskFull | None:
    """The one line for an error that a full disk caused, or None. where: what was being written."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return DiskFull(
                f"{error.filename or where}: {error.strerror}: make room there (`melodygan prune` "
                "and `dvc gc -w` help) and run it again: complete downloads are kept"
            )
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def room(where: Path) -> Iterator[None]:
    """Turn a full disk within the block into DiskFull; other errors pass."""
    try:
        yield
    except OSError as error:
        raise disk_full(error, where) or error from None


def store_root() -> Path:
    """The store's folder, made if need be; it outlives `dvc repro` and experiments."""
    root = cache_root() / "downloads"
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextmanager
def workspace(name: str) -> Iterator[Path]:
    """The folder `name` of the store, for this thread of this process alone: others wait.

    It may hold what a killed process left. What the block leaves in it stays.
    """
    folder = store_root() / name
    while True:
        try:
            folder.mkdir(exist_ok=True)
            lock = (folder / _LOCK).open("ab")
        except (FileExistsError, FileNotFoundError):
            continue  # its last user has just removed it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_current(lock, folder):
            break
        lock.close()
    with lock:
        try:
            yield folder
        finally:
            if not contents(folder):
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a workspace whose lock one holds; a folder that the next user has entered stays."""
    clear(folder)
    (folder / _LOCK).unlink()
    with suppress(OSError):  # not empty any more, or removed by that user in turn
        folder.rmdir()


def contents(folder: Path) -> list[Path]:
    """The files and folders of a workspace, apart from its lock."""
    return sorted(path for path in folder.iterdir() if path.name != _LOCK)


def clear(folder: Path) -> None:
    """Empty a workspace."""
    for path in contents(folder):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def sweep() -> None:
    """Remove what killed processes left: copies, and downloads that nobody has gone on with."""
    for folder in [*store_root().glob("*.tmp"), *store_root().glob("*.part")]:
        try:
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if folder.suffix == ".part" and time.time() - newest < _IDLE:
                continue
            with (folder / _LOCK).open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_current(lock, folder):
                    _remove(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # another process is at work in it, or has just finished


def _is_current(lock: BinaryIO, folder: Path) -> bool:
    """Whether a locked file is still the one in the folder, and not one removed meanwhile."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), (folder / _LOCK).stat())
    except FileNotFoundError:
        return False


def put(file: Path) -> tuple[Path, str]:
    """Move `file`, from a workspace, into the store; return its new path and SHA-256."""
    sha256 = sha256_file(file)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())  # a file under its hash must be whole even after a power cut
    target = store_root() / sha256
    file.replace(target)
    return target, sha256


def keep(file: Path, sha256: str) -> None:
    """See to it that the store has the bytes of `file`, whose SHA-256 is known."""
    if get(sha256):
        return
    with workspace(f"{sha256}.tmp") as folder:
        copy(file, folder / "body")
        put(folder / "body")


def get(sha256: str) -> Path | None:
    """The stored file with that hash; None where there is none or its bytes have been damaged."""
    path = store_root() / sha256
    if not path.is_file():
        return None
    if sha256_file(path) != sha256:
        path.unlink()
        return None
    return path


def take(sha256: str, target: Path) -> bool:
    """Copy the stored file with that hash to `target`, checking it on the way.

    False where there is none; one whose bytes have been damaged is removed and counts as none.
    """
    path = store_root() / sha256
    try:
        reader = path.open("rb", buffering=0)
    except FileNotFoundError:
        return False
    with reader:
        if _copy(reader, target) == sha256:
            return True
        target.unlink()
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(reader.fileno()), path.stat()):  # else `put` replaced it
                path.unlink()
    return False


def copy(source: Path, target: Path) -> str:
    """Copy a file; return the SHA-256 of the bytes. Each is read once. Raises OSError."""
    with source.open("rb", buffering=0) as reader:
        return _copy(reader, target)


def _copy(reader: FileIO, target: Path) -> str:
    sha256 = hashlib.sha256()
    with room(target), target.open("wb") as writer:
        while block := reader.read(_BLOCK):
            sha256.update(block)
            writer.write(block)
    return sha256.hexdigest()
