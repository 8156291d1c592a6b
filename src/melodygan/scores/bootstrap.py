"""Intervals of means over held-out tracks, by a Bayesian bootstrap (Rubin 1981).

Tracks get random weights instead of being drawn, so that two tracks are enough for an interval.
The clips of one track are not independent, so nothing finer than tracks is ever drawn.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Interval = list[float] | None  # low and high; None: one track alone shows no spread

DRAWS = 400
COVERED = (5.0, 95.0)  # percentiles: an interval of 90 %


def track_weights(tracks: int, rng: np.random.Generator) -> Matrix:
    """Weights of tracks that sum to 1: all equal, then drawn; (1 + DRAWS, tracks)."""
    return np.concatenate([np.full((1, tracks), 1 / tracks), rng.dirichlet(np.ones(tracks), DRAWS)])


def covered(draws: Matrix) -> list[float]:
    """The 90 % interval of draws (n,)."""
    return np.percentile(draws, COVERED).tolist()


def mean_interval(values: Sequence[float], seed: int) -> Interval:
    """Interval of the mean of one value for each track, (tracks,)."""
    if len(values) < 2:
        return None
    return covered(track_weights(len(values), np.random.default_rng(seed))[1:] @ np.array(values))


def paired_interval(values: Sequence[float], baselines: Sequence[float], seed: int) -> Interval:
    """Where the mean of `values` may lie beside the mean of `baselines` of the same tracks.

    Tracks that are hard for both say nothing of which is better. So this is the interval of the
    mean difference, moved by the baselines' mean: a point to compare it with.
    """
    between = mean_interval(np.subtract(values, baselines).tolist(), seed)
    if between is None:
        return None
    return [float(np.mean(baselines)) + edge for edge in between]


def paired_score(
    name: str, values: Sequence[float], baselines: Sequence[float], seed: int
) -> dict[str, Any]:
    """A score of test tracks beside a baseline of the same ones, as a metrics file has it.

    `name` and `baseline_<name>`: their means. `<name>_interval`: `paired_interval`.
    """
    return {
        name: float(np.mean(values)),
        f"baseline_{name}": float(np.mean(baselines)),
        f"{name}_interval": paired_interval(values, baselines, seed),
    }
