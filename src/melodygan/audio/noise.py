"""Stationary noise before the first and after the last sound: tape hiss, room, idle converters.

Only a lead-in that is at once long, even, far below the track, and without tones is taken for
noise, because what is wrongly kept costs little and what is wrongly cut is music. Noise between
sounds is left alone.
"""

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.silence import block_levels, block_size

_SHORTEST = 10  # blocks (0.2 s): less than this says nothing about a noise floor
_DEPTH_DB = 25.0  # noise lies at least this far below the loudest block
_INAUDIBLE_DB = -90.0  # of full scale: a floor of rounding errors needs no look at its spectrum
_FLATNESS = 0.3  # white noise has 0.9, pink 0.65; quiet passages of music up to 0.25
_BAND = (100.0, 4000.0)  # Hz; where old recordings and low bit rates still have their noise


def noise_free_span(audio: NDArray[np.float32], rate: int, margin_db: float) -> tuple[int, int]:
    """First sample and end of (samples,) without the noise at head and tail.

    margin_db: blocks up to this far above the noise floor (the level at the very head or tail)
    are noise; the block before the first louder one stays, for the attack. A track without a
    lead-in of noise comes back whole: (0, samples).
    """
    return (
        _noise_length(audio, rate, margin_db),
        len(audio) - _noise_length(audio[::-1], rate, margin_db),
    )


def _noise_length(audio: NDArray[np.float32], rate: int, margin_db: float) -> int:
    """Samples of noise at the beginning of (samples,)."""
    levels = block_levels(audio, rate)
    floor = float(np.median(levels[:_SHORTEST]))
    if floor > levels.max() - _DEPTH_DB:
        return 0
    louder = np.flatnonzero(levels > floor + margin_db)
    blocks = int(louder[0]) - 1
    if blocks < _SHORTEST:
        return 0
    length = blocks * block_size(rate)
    noise = floor < _INAUDIBLE_DB or spectral_flatness(audio[:length], rate) > _FLATNESS
    return length if noise else 0


def spectral_flatness(audio: NDArray[np.float32], rate: int) -> float:
    """Geometric over arithmetic mean of the power spectrum from 100 to 4000 Hz, averaged in time.

    audio: (samples,), at least 1024 of them. 1 is white noise, 0 a pure tone.
    """
    size = 1024
    frames = np.lib.stride_tricks.sliding_window_view(audio, size)[:: size // 2]
    power = (np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2).mean(axis=0)
    low, high = (round(hz * size / rate) for hz in _BAND)
    power = power[low:high] + 1e-20
    return float(np.exp(np.log(power).mean()) / power.mean())
