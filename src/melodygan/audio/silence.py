"""Silences shortened to a given length, without clicks, and alike in all stems of a track."""

import numpy as np
from numpy.typing import NDArray

Cut = tuple[int, int]  # first sample that goes, first that stays again
BLOCK_SECONDS = 0.02
LOWEST_DB = -120.0  # level of digital silence
_CROSSFADE_SECONDS = 0.005


def block_size(rate: int) -> int:
    """Samples of one block."""
    return round(BLOCK_SECONDS * rate)


def block_levels(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """RMS level in dB of full scale of every 20 ms block of (samples,); the last may be shorter."""
    starts = np.arange(0, len(audio), block_size(rate))
    lengths = np.diff(np.append(starts, len(audio)))
    power = np.add.reduceat(np.square(audio), starts) / lengths
    return 10 * np.log10(np.maximum(power, 10 ** (LOWEST_DB / 10))).astype(np.float32)


def silence_cuts(
    audio: NDArray[np.float32], rate: int, threshold_db: float, gap: float
) -> list[Cut]:
    """What to take out of (samples,) so that no silence is longer than `gap` seconds.

    threshold_db: blocks this far below the loudest block are silence. Between two sounds half of
    the gap stays after the first and half before the second; at the head the end of the silence
    stays, at the tail its beginning.
    """
    levels = block_levels(audio, rate)
    silent = np.concatenate([[False], levels < levels.max() + threshold_db, [False]])
    edges = np.flatnonzero(silent[1:] != silent[:-1]) * block_size(rate)
    keep = round(gap * rate)
    cuts = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        stop = min(stop, len(audio))
        if stop - start <= keep:
            continue
        before = 0 if start == 0 else keep if stop == len(audio) else keep // 2
        cuts.append((start + before, stop - (keep - before)))
    return cuts


def apply_cuts(audio: NDArray[np.float32], cuts: list[Cut], rate: int) -> NDArray[np.float32]:
    """Take `cuts` (in order) out of (samples,); a short crossfade joins what stays.

    The crossfade lies before each cut, so the result is shorter by exactly the sum of the cuts.
    """
    pieces, position = [], 0
    for start, stop in cuts:
        piece = audio[position:start].copy()
        if stop < len(audio):
            n = min(round(_CROSSFADE_SECONDS * rate), len(piece), stop - start)
            fade = ((np.arange(n) + 1) / (n + 1)).astype(np.float32)
            tail = slice(len(piece) - n, None)
            piece[tail] += fade * (audio[stop - n : stop] - piece[tail])
        pieces.append(piece)
        position = stop
    pieces.append(audio[position:])
    return np.concatenate(pieces)
