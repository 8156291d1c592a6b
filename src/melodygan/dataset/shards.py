"""Many tracks in few .npy files: written in order, piece by piece, read by memory map.

Tracks are spread over shards by a hash of their id, so one new track changes one shard, and a
cache or a remote stores the others no second time.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.dataset.npy import read_header, write_header
from melodygan.pipeline.packing import shard_of
from melodygan.pipeline.threads import side_by_side

__all__ = ["pieces", "shard_of", "shard_path", "write_shards"]
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

    parts: at least one file; all of one type and of one shape but for the first axis. Each is
    opened once and closed again, for there may be more than a process can open. Plain writes,
    since a full disk ends a memory map with a signal instead of an error.
    """
    lengths: list[int] = []
    with path.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                shape, dtype = read_header(source)
                if not lengths:
                    write_header(file, shape, dtype)  # to be corrected: the sum is not yet known
                shutil.copyfileobj(source, file, _BLOCK)
            lengths.append(shape[0])
        file.seek(0)
        write_header(file, (sum(lengths), *shape[1:]), dtype)
    return list(zip(accumulate(lengths[:-1], initial=0), lengths, strict=True))


def pieces(shard: Path, start: int, length: int, size: int) -> Iterator[NDArray[Any]]:
    """`length` rows of a shard from row `start` on, at most `size` at a time."""
    end = start + length
    for first in range(start, end, size):
        # mapped anew each time, which frees the pages of the piece before
        yield np.load(shard, mmap_mode="r")[first : min(first + size, end)]
