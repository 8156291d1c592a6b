"""Many tracks in few .npy files: written in order, piece by piece, read by memory map.

Tracks are spread over shards by a hash of their id, so one new track changes one shard, and a
cache or a remote stores the others no second time.
"""

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np


def shard_of(track: str, shards: int) -> int:
    """Shard number of a track id: a function of the id alone."""
    return int(hashlib.sha256(track.encode()).hexdigest()[:8], 16) % shards


def shard_path(folder: Path, kind: str, shard: int) -> Path:
    """The file of one shard: `folder/kind-03.npy`."""
    return folder / f"{kind}-{shard:02d}.npy"


def write_shard(path: Path, parts: Sequence[Path]) -> list[tuple[int, int]]:
    """Join .npy files along their first axis into one; returns (first row, rows) of each part.

    parts: at least one file; all of one type and of one shape but for the first axis. Only one
    is open at a time, for there may be more than a process can open. Plain writes, since a full
    disk ends a memory map with a signal instead of an error.
    """
    lengths = [len(np.load(part, mmap_mode="r")) for part in parts]
    like = np.load(parts[0], mmap_mode="r")
    header = np.lib.format.header_data_from_array_1_0(like)
    with path.open("wb") as file:
        header["shape"] = (sum(lengths), *like.shape[1:])
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.load(part).data)
    return list(zip(accumulate(lengths[:-1], initial=0), lengths, strict=True))
