"""Brings the distribution of level in each mel band to that of other sound."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

QUANTILES = np.linspace(0, 100, 101)  # per cent
APART = 1e-5  # ln units between equal quantiles: interpolation needs them to increase


class BandHistograms:
    """In each band, the increasing map that turns one distribution into another.

    In one dimension it is the optimal transport between the two (Peyre and Cuturi 2019,
    "Computational Optimal Transport", section 2.6, https://arxiv.org/abs/1803.00567). It corrects
    level, equaliser and contrast, and keeps the order of louder and softer in every band.
    """

    def __init__(self, found: Float, wanted: Float) -> None:
        """Quantiles (QUANTILES, n_mels), ln units, of the distributions to map from and to."""
        self.found, self.wanted = found, wanted
        rising = APART * np.arange(len(found))[:, None]
        self._found = found.astype(np.float64) + rising

    @classmethod
    def between(cls, found: NDArray[Any], wanted: NDArray[Any]) -> Self:
        """From frames (frames, n_mels) of either distribution."""
        of_found, of_wanted = (
            np.percentile(frames, QUANTILES, axis=0).astype(np.float32)
            for frames in (found, wanted)
        )
        return cls(of_found, of_wanted)

    def __call__(self, log_mel: NDArray[Any]) -> Float:
        """Log-mel (frames, n_mels) -> the same shape, within the wanted distribution's range."""
        result = np.empty(log_mel.shape, np.float32)
        for band in range(log_mel.shape[1]):
            result[:, band] = np.interp(
                log_mel[:, band], self._found[:, band], self.wanted[:, band]
            )
        return result
