"""Stationary noise before the first and after the last sound: tape hiss, room, idle converters.

Only a lead-in that is at once long, even, far below the track, and without tones is taken for
noise, because what is wrongly kept costs little and what is wrongly cut is music. Noise between
sounds is left alone.
"""

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.silence import Mono, Read, block_size

_SHORTEST = 10  # blocks (0.2 s): less than this says nothing about a noise floor
_DEPTH_DB = 25.0  # noise lies at least this far below the loudest block
_INAUDIBLE_DB = -90.0  # of full scale: a floor of rounding errors needs no look at its spectrum
_FLATNESS = 0.3  # white noise has 0.9, pink 0.65; quiet passages of music up to 0.25
_BAND = (100.0, 4000.0)  # Hz; where old recordings and low bit rates still have their noise
_LOOK = 10  # s of the noise whose spectrum is looked at; there may be an hour of it


def noise_free_span(
    read: Read, levels: NDArray[np.float32], samples: int, rate: int, margin_db: float
) -> tuple[int, int]:
    """First sample and end of `samples` samples without the noise at head and tail.

    levels: of their 20 ms blocks, dB. margin_db: blocks up to this far above the noise floor (the
    level at the very head or tail) are noise; the block before the first louder one stays, for
    the attack. A track without a lead-in of noise comes back whole: (0, samples).
    """
    size, look = block_size(rate), _LOOK * rate
    start = _noise_blocks(levels, margin_db) * size
    if start and not _is_noise(read(0, min(start, look)), levels[:_SHORTEST], rate):
        start = 0
    end = samples
    if blocks := _noise_blocks(levels[::-1], margin_db):
        end = (len(levels) - blocks) * size
        if not _is_noise(read(max(end, samples - look), samples), levels[-_SHORTEST:], rate):
            end = samples
    return start, end


def _noise_blocks(levels: NDArray[np.float32], margin_db: float) -> int:
    """How many blocks at the beginning are as even and quiet as noise; 0 for too few."""
    floor = float(np.median(levels[:_SHORTEST]))
    if floor > levels.max() - _DEPTH_DB:
        return 0
    blocks = int(np.flatnonzero(levels > floor + margin_db)[0]) - 1
    return blocks if blocks >= _SHORTEST else 0


def _is_noise(audio: Mono, levels: NDArray[np.float32], rate: int) -> bool:
    """Whether (samples,), whose floor shows in `levels`, has no tones in it."""
    return float(np.median(levels)) < _INAUDIBLE_DB or spectral_flatness(audio, rate) > _FLATNESS


def spectral_flatness(audio: Mono, rate: int) -> float:
    """Geometric over arithmetic mean of the power spectrum from 100 to 4000 Hz, averaged in time.

    audio: (samples,), at least 1024 of them. 1 is white noise, 0 a pure tone.
    """
    size = 1024
    frames = np.lib.stride_tricks.sliding_window_view(audio, size)[:: size // 2]
    power = (np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2).mean(axis=0)
    low, high = (round(hz * size / rate) for hz in _BAND)
    power = power[low:high] + 1e-20
    return float(np.exp(np.log(power).mean()) / power.mean())
