"""Many tracks in few .npy files: written in order, piece by piece, read by memory map.

Tracks are spread over shards by a hash of their id, so one new track changes one shard, and a
cache or a remote stores the others no second time.
"""

import math
import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from melodygan.pipeline.packing import shard_of, side_by_side

__all__ = ["shard_of", "shard_path", "write_shards"]
_BLOCK = 1 << 20  # bytes


def shard_path(folder: Path, kind: str, shard: int) -> Path:
    """The file of one shard: `folder/kind-03.npy`."""
    return folder / f"{kind}-{shard:02d}.npy"


def write_shards(
    folder: Path, kind: str, shards: Sequence[int], parts: Sequence[Path]
) -> list[tuple[int, int]]:
    """Join .npy files into the shards of one kind; returns (first row, rows) of each in its shard.

    shards: the number of each part's shard. parts: in the order in which a shard shall have them.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, shard in enumerate(shards):
        members[shard].append(index)
    calls = [
        (shard_path(folder, kind, shard), [parts[index] for index in indices])
        for shard, indices in members.items()
    ]
    places: dict[int, tuple[int, int]] = {}
    for indices, spans in zip(members.values(), side_by_side(write_shard, calls), strict=True):
        places.update(zip(indices, spans, strict=True))
    return [places[index] for index in range(len(parts))]


def write_shard(path: Path, parts: Sequence[Path]) -> list[tuple[int, int]]:
    """Join .npy files along their first axis into one; returns (first row, rows) of each part.

    parts: at least one file; all of one type and of one shape but for the first axis. Only one
    is open at a time, for there may be more than a process can open. Plain writes, since a full
    disk ends a memory map with a signal instead of an error.
    """
    lengths = [len(np.load(part, mmap_mode="r")) for part in parts]
    like = np.load(parts[0], mmap_mode="r")
    header = np.lib.format.header_data_from_array_1_0(like)
    row = like.itemsize * math.prod(like.shape[1:])  # bytes
    with path.open("wb") as file:
        header["shape"] = (sum(lengths), *like.shape[1:])
        np.lib.format.write_array_header_1_0(file, header)
        for part, length in zip(parts, lengths, strict=True):
            with part.open("rb") as source:
                # the data are the last bytes of a .npy file
                source.seek(-length * row, os.SEEK_END)
                shutil.copyfileobj(source, file, _BLOCK)
    return list(zip(accumulate(lengths[:-1], initial=0), lengths, strict=True))
