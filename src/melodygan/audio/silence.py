"""Silences shortened to a given length, without clicks, and alike in all stems of a track."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Mono = NDArray[np.float32]
Read = Callable[[int, int], Mono]  # the samples from one index up to another
Cut = tuple[int, int]  # first sample that goes, first that stays again
BLOCK_SECONDS = 0.02
LOWEST_DB = -120.0  # level of digital silence
_CROSSFADE_SECONDS = 0.005


def block_size(rate: int) -> int:
    """Samples of one block."""
    return round(BLOCK_SECONDS * rate)


class LevelMeter:
    """RMS level of every 20 ms block of one channel, however it is cut into pieces.

    Of each block without its mean: a constant offset, as cheap converters add, is no sound.
    """

    def __init__(self, rate: int) -> None:
        self._size = block_size(rate)
        self._rest = np.zeros(0, np.float32)
        self._powers: list[Mono] = []

    def add(self, samples: Mono) -> None:
        """Measure the next samples (n,)."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // self._size * self._size
        self._rest = samples[whole:]
        self._powers.append(_variances(samples[:whole].reshape(-1, self._size)))

    def levels(self) -> NDArray[np.float32]:
        """dB of full scale of each block so far; the last one may be shorter."""
        rest = [_variances(self._rest[None])] if len(self._rest) else []
        powers = np.concatenate([np.zeros(0, np.float32), *self._powers, *rest])
        return 10 * np.log10(np.maximum(powers, 10 ** (LOWEST_DB / 10))).astype(np.float32)


def _variances(rows: Mono) -> Mono:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.einsum("ij,ij->i", rows, rows) / np.float32(rows.shape[1])


def silence_cuts(
    levels: NDArray[np.float32], samples: int, rate: int, threshold_db: float, gap: float
) -> list[Cut]:
    """What to take out of `samples` samples so that no silence is longer than `gap` seconds.

    levels: of their 20 ms blocks, dB. threshold_db: blocks this far below the loudest block are
    silence. Between two sounds half of the gap stays after the first and half before the second;
    at the head the end of the silence stays, at the tail its beginning.
    """
    silent = np.concatenate([[False], levels < levels.max() + threshold_db, [False]])
    edges = np.flatnonzero(silent[1:] != silent[:-1]) * block_size(rate)
    keep = round(gap * rate)
    cuts = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        stop = min(stop, samples)
        if stop - start <= keep:
            continue
        before = 0 if start == 0 else keep if stop == samples else keep // 2
        cuts.append((start + before, stop - (keep - before)))
    return cuts


def kept_blocks(
    read: Read, start: int, stop: int, cuts: Sequence[Cut], rate: int, size: int
) -> Iterator[Mono]:
    """The samples from `start` to `stop` without `cuts` (in order), in blocks of `size` samples.

    A short crossfade joins what stays. It lies before each cut, so the result is shorter by
    exactly the sum of the cuts. The last block may be shorter; none is empty.
    """
    waiting: list[Mono] = []
    length = 0
    for piece in _pieces(read, start, stop, cuts, rate, size):
        waiting.append(piece)
        length += len(piece)
        if length >= size:
            joined = np.concatenate(waiting)
            yield joined[:size]  # pieces are no longer than `size`, so less than that is left
            waiting, length = [joined[size:]], length - size
    if length:
        yield np.concatenate(waiting)


def _pieces(
    read: Read, start: int, stop: int, cuts: Sequence[Cut], rate: int, size: int
) -> Iterator[Mono]:
    position = start
    for first, after in [*cuts, (stop, stop)]:
        # none at the very end, where nothing comes after the cut
        fade = min(round(_CROSSFADE_SECONDS * rate), first - position, after - first)
        fade = fade if after < stop else 0
        for at in range(position, first - fade, size):
            yield read(at, min(at + size, first - fade))
        if fade:
            ramp = ((np.arange(fade) + 1) / (fade + 1)).astype(np.float32)
            out = read(first - fade, first)
            yield out + ramp * (read(after - fade, after) - out)
        position = after
