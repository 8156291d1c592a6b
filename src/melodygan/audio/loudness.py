"""Loudness (ITU-R BS.1770-4, by pyloudnorm) and true peak, and the gain that both allow."""

import warnings

import numpy as np
import pyloudnorm
import soxr
from numpy.typing import NDArray

SHORTEST = 0.4  # s; one gating block of BS.1770
_OVERSAMPLING = 4
_BLOCK = 1 << 16  # samples


def integrated_loudness(audio: NDArray[np.float32], rate: int) -> float:
    """Integrated loudness of (samples,) at `rate` Hz in LUFS; -inf where all is below -70 LUFS.

    Raises ValueError for less than 0.4 s.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no block that passed the gate
        return float(pyloudnorm.Meter(rate).integrated_loudness(audio))


def true_peak(audio: NDArray[np.float32], rate: int) -> float:
    """Largest magnitude of (samples,) between the samples too: at four times the rate, linear."""
    stream = soxr.ResampleStream(rate, _OVERSAMPLING * rate, 1, dtype="float32", quality="HQ")
    peak = float(np.abs(audio).max(initial=0))
    for start in range(0, len(audio), _BLOCK):
        block = audio[start : start + _BLOCK]
        finer = stream.resample_chunk(block, last=start + _BLOCK >= len(audio))
        peak = max(peak, float(np.abs(finer).max(initial=0)))
    return peak


def normalising_gain(loudness: float, peak: float, target_lufs: float, ceiling_db: float) -> float:
    """Linear gain from `loudness` (LUFS) to `target_lufs`, less where `peak` (linear, > 0) would
    pass `ceiling_db` (dB of full scale): a louder result would have to be limited or clipped.
    """
    return float(min(10 ** ((target_lufs - loudness) / 20), 10 ** (ceiling_db / 20) / peak))
