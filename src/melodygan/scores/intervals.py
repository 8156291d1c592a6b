"""How far a score may be trusted: intervals over tracks, and what follows from them."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from melodygan.scores.bootstrap import COVERED, Interval, track_weights
from melodygan.scores.rows import Rows

Matrix = NDArray[np.float64]
Compare = Callable[[Rows, Rows, Matrix, Matrix], Matrix]


def draws(compare: Compare, clips: Rows, reference: Rows, seed: int) -> Matrix:
    """A score of clips against reference clips, then of draws of both's tracks; (1 + DRAWS,).

    By a Bayesian bootstrap (scores/bootstrap.py). Equal seeds give the reference's tracks the same
    weights, and those of all sets of as many tracks: sets that were cut from the same tracks, in
    the same order, are drawn alike and may be compared draw by draw (`beside`).
    """
    weights = [
        track_weights(rows.tracks, np.random.default_rng([seed, stream])) * rows.tracks
        for stream, rows in enumerate((clips, reference))
    ]
    return compare(clips, reference, *weights)


def interval_of(drawn: Matrix) -> list[float]:
    """The 90 % interval of a score from its `draws`.

    Reweighting is like having fewer tracks, which biases some distances, so the draws are shifted
    to have the score as their median.
    """
    value, rest = drawn[0], drawn[1:]
    low, high = np.percentile(rest, COVERED) - np.median(rest) + value
    return [float(low), float(high)]


def beside(drawn: Matrix, others: Matrix) -> list[float]:
    """Where a score may lie beside another one of the same draws: a point to compare it with.

    The interval of the difference, moved by the other's value, as in `paired_interval`.
    """
    return [float(others[0]) + edge for edge in interval_of(drawn - others)]


def tracks_needed(interval: Interval, tracks: int, width: float) -> int | None:
    """Held-out tracks for an interval of `width`, from the present one of `tracks` tracks.

    A standard error falls with the root of their number. None: one track says nothing of it.
    """
    if interval is None:
        return None
    return max(2, math.ceil(tracks * ((interval[1] - interval[0]) / width) ** 2))
