"""Entries of the side cache: a folder of result files that says what its files must be.

Disks and power cuts damage files without telling. An entry lists the SHA-256 of its files; one
that does not hold is no entry, and its work is done again.
"""

import json
import os
from pathlib import Path

from melodygan.pipeline.files import remove, sha256_file

SUMS = "checksums.json"
_LARGEST = 1 << 20  # bytes of a list; an entry has a handful of files


def publish(temporary: Path, folder: Path) -> None:
    """Make `temporary`, with all files that `work` wrote, the entry `folder`.

    Nothing happens if another process was faster. Raises OSError.
    """
    sums = json.dumps({name: sha256_file(temporary / name) for name in _files(temporary)})
    (temporary / SUMS).write_text(sums, "utf-8")
    for name in (*_files(temporary), SUMS):
        _sync(temporary / name)  # else a power cut may leave the name without the bytes
    try:
        temporary.rename(folder)
    except OSError:
        if not sound(folder):
            raise


def sound(folder: Path) -> bool:
    """Whether `folder` is an entry with just the bytes that were published."""
    try:
        if (folder / SUMS).stat().st_size > _LARGEST:
            return False
        sums = json.loads((folder / SUMS).read_bytes())
        return all(sha256_file(folder / name) == sha256 for name, sha256 in sums.items())
    except (OSError, ValueError, RecursionError, AttributeError):
        return False


def drop(folder: Path) -> None:
    """Remove what lies at an entry's place; renamed first, so that it is never half there."""
    doomed = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    remove(doomed)
    folder.rename(doomed)
    remove(doomed)


def _files(folder: Path) -> list[str]:
    """Names of an entry's files below `folder`, without the list of their checksums."""
    found = []
    for place, _, names in os.walk(folder):
        inner = os.path.relpath(place, folder)
        found += [name if inner == "." else f"{inner}/{name}" for name in names]
    return sorted(name for name in found if name != SUMS)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
