"""Two conversions that need no training: what a model of style transfer has to beat.

Both are fitted to real frames of the two labels, arrays (frames, n_mels) in ln units, and turn a
track's log-mel (frames, n_mels) into one of the same shape. They change each frame by itself, so
they keep the song's timing and most of its notes.
"""

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.histogram import BandHistograms
from melodygan.audio.mel import LOG_SILENCE

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

REGULARISATION = 1e-2  # ln units squared, added to every variance


class Equaliser:
    """One gain per band that brings the track's mean spectrum to the target label's."""

    def __init__(self, target: Float) -> None:
        self.mean = target.mean(0, dtype=np.float64)

    def __call__(self, log_mel: Float) -> Float:
        gain = self.mean - log_mel.mean(0, dtype=np.float64)
        return _audible(log_mel + gain)


class Transport:
    """Moves the source label's frames onto the target label's at the least total distance.

    The optimal map between the two Gaussians (Peyre and Cuturi 2019, "Computational Optimal
    Transport", section 2.6, https://arxiv.org/abs/1803.00567), then the same in each band between
    the two histograms, which need not be Gaussian.
    """

    def __init__(self, source: Float, target: Float) -> None:
        self.source_mean, self.target_mean = source.mean(0), target.mean(0)
        self.matrix = _gaussian_map(_covariance(source), _covariance(target))
        self.levels = BandHistograms.between(self._linear(source), target)

    def __call__(self, log_mel: Float) -> Float:
        return _audible(self.levels(self._linear(log_mel)))

    def _linear(self, frames: Float) -> Matrix:
        return (frames - self.source_mean) @ self.matrix + self.target_mean


def _covariance(frames: Float) -> Matrix:
    covariance = np.atleast_2d(np.cov(frames.astype(np.float64), rowvar=False))
    return covariance + REGULARISATION * np.eye(len(covariance))


def _gaussian_map(source: Matrix, target: Matrix) -> Matrix:
    """The symmetric A^(-1/2) (A^(1/2) B A^(1/2))^(1/2) A^(-1/2) of covariances A and B."""
    root = _power(source, 0.5)
    inverse = _power(source, -0.5)
    return inverse @ _power(root @ target @ root, 0.5) @ inverse


def _power(matrix: Matrix, exponent: float) -> Matrix:
    """Power of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T


def _audible(log_mel: Matrix | Float) -> Float:
    return np.maximum(log_mel, LOG_SILENCE).astype(np.float32)
