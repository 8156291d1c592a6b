"""How far a score may be trusted: intervals over tracks, and what follows from them."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from melodygan.scores.bootstrap import COVERED, Interval, track_weights
from melodygan.scores.rows import Rows

Matrix = NDArray[np.float64]
Compare = Callable[[Rows, Rows, Matrix, Matrix], Matrix]


def with_interval(
    compare: Compare, clips: Rows, reference: Rows, rng: np.random.Generator
) -> tuple[float, Interval]:
    """A score of clips against reference clips, and its interval over the tracks of both.

    By a Bayesian bootstrap (scores/bootstrap.py). Reweighting is like having fewer tracks, which
    biases some distances, so the draws are shifted to have the score as their median.
    """
    weights = [track_weights(n, rng) * n for n in (clips.tracks, reference.tracks)]
    value, *rest = compare(clips, reference, *weights)
    if reference.tracks < 2:
        return float(value), None
    draws = np.array(rest)
    low, high = np.percentile(draws, COVERED) - np.median(draws) + value
    return float(value), [float(low), float(high)]


def differ(one: Interval, other: Interval) -> bool:
    """Whether two scores are shown to differ: their intervals do not overlap.

    False means "no difference shown", never "equal". An unknown interval shows nothing.
    """
    return one is not None and other is not None and (one[1] < other[0] or other[1] < one[0])


def tracks_needed(interval: Interval, tracks: int, width: float) -> int | None:
    """Held-out tracks for an interval of `width`, from the present one of `tracks` tracks.

    A standard error falls with the root of their number. None: one track says nothing of it.
    """
    if interval is None:
        return None
    return max(2, math.ceil(tracks * ((interval[1] - interval[0]) / width) ** 2))
