"""A description of how clips go on in time, for a set distance that hears order and blur."""

import numpy as np
from numpy.typing import NDArray

from melodygan.scores.embedding import band_energies

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

LAGS = (4, 8, 16, 24, 32, 48, 64, 96)  # frames
STEPS = (1, 2, 4, 8, 16)  # frames
LEAST = 0.05  # ln units; what varies less than this is held to be steady


def describe_time(log_mel: Float) -> Matrix:
    """Statistics that change when a clip is reordered; (clips, frames, n_mels) -> (clips, n).

    In 16 bands: autocorrelation at lags of 4 to 96 frames (how soon a sound is forgotten, and
    whether it comes back), and skewness of the change over 1 to 16 frames (attacks are faster
    than decays, which reversal turns round and blur evens out). Level and timbre are subtracted.
    """
    bands = band_energies(log_mel)
    frames = bands.shape[1]
    centred = bands - bands.mean(1, keepdims=True)
    variance = (centred**2).mean(1) + LEAST**2
    similar = [
        (centred[:, :-lag] * centred[:, lag:]).mean(1) / variance for lag in LAGS if lag < frames
    ]
    skewed = []
    for step in STEPS:
        if step < frames:
            change = (bands[:, step:] - bands[:, :-step]) / np.sqrt(variance)[:, None]
            spread = np.sqrt((change**2).mean(1)) + LEAST
            skewed.append(np.cbrt((change**3).mean(1)) / spread)
    return np.concatenate(similar + skewed, axis=1)
