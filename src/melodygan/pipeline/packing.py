"""Many files in few: uncompressed tar archives whose members are read in place.

A folder of 20,000 files costs DVC seconds in every run that has nothing to do. Tracks are spread
over archives by a hash of their id, so one new track changes one of them, and a cache or a remote
stores the others no second time.
"""

import hashlib
import tarfile
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 1 << 20  # bytes copied at once


def shard_of(track: str, shards: int) -> int:
    """Shard number of a track id: a function of the id alone."""
    return int(hashlib.sha256(track.encode()).hexdigest()[:8], 16) % shards


def pack(path: Path, members: Iterable[tuple[str, Path]]) -> list[tuple[int, int]]:
    """Write files as the members of a new tar archive; returns (offset, size) in bytes of each.

    members: (name in the archive, file). The archive's bytes depend on names, contents and order
    alone, not on the files' times, owners or permissions. Members may be of any size (GNU format).
    """
    extents = []
    with (
        path.open("wb") as out,
        tarfile.TarFile(
            fileobj=out, mode="w", format=tarfile.GNU_FORMAT, copybufsize=_BLOCK
        ) as tar,
    ):
        for name, source in members:
            entry = tarfile.TarInfo(name)  # time 0, owner 0 without a name, mode 0644
            entry.size = source.stat().st_size
            with source.open("rb") as file:
                tar.addfile(entry, file)
            padded = -(-entry.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            extents.append((out.tell() - padded, entry.size))
    return extents
