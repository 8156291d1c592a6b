"""A fixed, untrained description of clips for set distances and style classification."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

DYNAMIC_RANGE = np.log(1000.0)  # 60 dB below a clip's maximum counts as silence
BANDS = 16
CEPSTRA = 20


def describe(log_mel: Float) -> Matrix:
    """Timbre and rhythm statistics of clips; (clips, frames, n_mels) -> (clips, features).

    Per clip: mean and standard deviation over time of log-mel in 16 bands and of 20 cepstral
    coefficients, mean absolute frame-to-frame change per band, and the modulation spectrum of
    the total energy.
    """
    clips = audible(log_mel)
    frames, n_mels = clips.shape[1:]
    cepstra = (clips @ _dct(CEPSTRA, n_mels).T.astype(np.float32)).astype(np.float64)
    bands = _grouped(clips, BANDS)
    energy = clips.mean(2, dtype=np.float64)
    envelope = np.maximum(np.diff(energy, axis=1), 0)
    modulation = np.abs(np.fft.rfft(envelope - envelope.mean(1, keepdims=True), axis=1))
    kept = np.array_split(modulation[:, 1 : max(2, frames // 8)], 8, axis=1)
    return np.concatenate(
        [
            bands.mean(1),
            bands.std(1),
            np.abs(np.diff(bands, axis=1)).mean(1),
            cepstra.mean(1),
            cepstra.std(1),
            np.stack(
                [np.log1p(part.mean(1)) if part.shape[1] else energy[:, 0] * 0 for part in kept], 1
            ),
        ],
        axis=1,
    )


def audible(log_mel: Float) -> Float:
    """Clips (clips, frames, n_mels) with all below a clip's maximum - 60 dB raised to that.

    With an absolute floor of silence, inaudible noise would dominate every distance.
    """
    floor = log_mel.max((1, 2), keepdims=True) - np.float32(DYNAMIC_RANGE)
    return np.maximum(log_mel, floor)


def band_energies(log_mel: Float, bands: int = BANDS) -> Matrix:
    """Mean log-mel in neighbouring bands: (clips, frames, n_mels) -> (clips, frames, bands)."""
    return _grouped(audible(log_mel), bands)


def _grouped(clips: Float, bands: int) -> Matrix:
    n_mels = clips.shape[2]
    groups = np.array_split(np.arange(n_mels), min(bands, n_mels))
    mean = np.zeros((n_mels, len(groups)))
    for index, group in enumerate(groups):
        mean[group, index] = 1 / len(group)
    return (clips @ mean.astype(np.float32)).astype(np.float64)


def _dct(count: int, size: int) -> Matrix:
    """Orthonormal DCT-II matrix, shape (count, size)."""
    k, n = np.arange(count)[:, None], np.arange(size)[None, :]
    matrix = np.cos(np.pi * k * (2 * n + 1) / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return matrix


@dataclass(frozen=True)
class Embedding:
    """A linear map of features to the space in which distances are taken: `apply`."""

    mean: Matrix
    projection: Matrix

    @staticmethod
    def whitened(real: Matrix, dimensions: int = 16) -> "Embedding":
        """Principal components of standardised features of real clips, scaled to unit variance."""
        mean, std = real.mean(0), real.std(0) + 1e-6
        _, singular, axes = np.linalg.svd((real - mean) / std, full_matrices=False)
        dimensions = min(dimensions, int((singular > 1e-6 * singular[0]).sum()))
        scale = singular[:dimensions] / np.sqrt(len(real))
        return Embedding(mean, (axes[:dimensions] / std / scale[:, None]).T)

    @staticmethod
    def standardised(real: Matrix) -> "Embedding":
        """Each feature of real clips scaled to unit variance, their correlation kept."""
        return Embedding(real.mean(0), np.diag(1 / (real.std(0) + 1e-6)))

    def apply(self, features: Matrix) -> Matrix:
        """(clips, features) -> (clips, dimensions)."""
        return (features - self.mean) @ self.projection
