"""The project's only mel spectrogram: HiFi-GAN's framing, slaney mel of the magnitude, natural log.

Framing (Kong et al. 2020, https://arxiv.org/abs/2010.05646): no centring, reflect padding of
(n_fft - hop_length) / 2 samples on both sides, so that `hop_length * frames` samples give `frames`.
Slaney's mel scale and area normalisation as in the Auditory Toolbox (Slaney 1998).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import Range

Float = NDArray[np.float32]
LOG_FLOOR = 1e-5  # magnitude
LOG_SILENCE = -11.512925  # its natural logarithm: the lowest value of a log-mel
PIECE = 4096  # frames that are worked off at a time where a whole track may not fit into memory
_BLOCK = 128  # frames; the spectra of a block fit into the second-level cache


@dataclass(frozen=True)
class MelConfig:
    """Params group `audio`; stored in every artefact made from mel spectrograms."""

    sample_rate: Annotated[int, Range(ge=8000, le=192_000)]  # Hz
    n_fft: Annotated[int, Range(ge=16, le=65_536)]  # samples
    hop_length: Annotated[int, Range(ge=1)]  # samples
    win_length: Annotated[int, Range(ge=16)]  # samples
    n_mels: Annotated[int, Range(ge=1, le=4096)]
    fmin: Annotated[float, Range(ge=0)]  # Hz
    fmax: Annotated[float, Range(gt=0)]  # Hz

    def __post_init__(self) -> None:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} is longer than n_fft {self.n_fft}")
        if (self.n_fft - self.hop_length) % 2 or self.hop_length > self.win_length:
            raise ValueError("n_fft - hop_length must be even and hop_length at most win_length")
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(f"fmax must lie above fmin and at most at {self.sample_rate / 2} Hz")

    @property
    def n_bins(self) -> int:
        """Frequency bins of the linear spectrogram."""
        return self.n_fft // 2 + 1

    @property
    def padding(self) -> int:
        """Samples of reflect padding on each side."""
        return (self.n_fft - self.hop_length) // 2

    def frames(self, samples: int) -> int:
        """Frames of so many samples. Raises ValueError for less than one hop."""
        if samples < self.hop_length:
            raise ValueError(f"{samples} samples are less than one hop of {self.hop_length}")
        return samples // self.hop_length

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as stored in meta.json and config.json."""
        return asdict(self)

    def require(self, stored: dict[str, Any], where: str) -> None:
        """Raise UserError, showing both, if `stored` (from `where`) is not this configuration."""
        if stored != self.as_dict():
            mine = self.as_dict()
            keys = sorted(k for k in mine.keys() | stored.keys() if mine.get(k) != stored.get(k))
            there = ", ".join(f"{k}={stored.get(k)}" for k in keys)
            here = ", ".join(f"{k}={mine.get(k)}" for k in keys)
            raise UserError(
                f"mel mismatch: {where} was made with {there}, but here it is {here}: "
                "run `dvc repro`, or restore the audio group of params.yaml"
            )


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = hz * 3 / 200  # 200/3 Hz per mel below 1 kHz
    return np.where(hz < 1000, linear, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


@lru_cache(maxsize=8)
def mel_filterbank(config: MelConfig) -> Float:
    """Triangular filters of unit area per Hz (slaney), shape (n_mels, n_bins); read-only."""
    lowest, highest = _hz_to_mel(np.array([config.fmin, config.fmax]))
    edges = _mel_to_hz(np.linspace(lowest, highest, config.n_mels + 2))
    bins = np.linspace(0, config.sample_rate / 2, config.n_bins)
    ramps = edges[:, None] - bins[None, :]
    width = np.diff(edges)[:, None]
    rising, falling = -ramps[:-2] / width[:-1], ramps[2:] / width[1:]
    areas = (edges[2:] - edges[:-2])[:, None] / 2
    filters = (np.maximum(0, np.minimum(rising, falling)) / areas).astype(np.float32)
    filters.setflags(write=False)
    return filters


@lru_cache(maxsize=8)
def mel_inverse(config: MelConfig) -> Float:
    """Pseudo-inverse of the filterbank, shape (n_bins, n_mels): the first guess of a magnitude."""
    inverse = np.linalg.pinv(mel_filterbank(config).astype(np.float64)).astype(np.float32)
    inverse.setflags(write=False)
    return inverse


@lru_cache(maxsize=8)
def window(config: MelConfig) -> Float:
    """Periodic Hann window of win_length, centred in n_fft samples."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.win_length) / config.win_length)
    left = (config.n_fft - config.win_length) // 2
    padded = np.pad(hann, (left, config.n_fft - config.win_length - left)).astype(np.float32)
    padded.setflags(write=False)
    return padded


def log_mel(audio: Float, config: MelConfig) -> Float:
    """Log-mel spectrogram on the CPU: (samples,) -> (frames, n_mels), frames = samples // hop.

    Natural log of max(mel, 1e-5). Equal bytes on any number of threads, as no BLAS is used.
    Raises ValueError for less than one hop of samples.
    """
    result = np.empty((config.frames(len(audio)), config.n_mels), np.float32)
    for first in range(0, len(result), PIECE):
        part = result[first : first + PIECE]
        log_mel_part(lambda start, stop: audio[start:stop], len(audio), config, first, part)
    return result


def log_mel_part(
    read: Callable[[int, int], Float], samples: int, config: MelConfig, first: int, out: Float
) -> None:
    """Write the log-mel of frames `first` to `first + len(out)` of a track into `out`.

    read: `read(start, stop)` gives the track's float samples of that range within `samples`, the
    length of the track. out: (frames, n_mels). The bytes are those of the whole track's `log_mel`.
    """
    begin = first * config.hop_length - config.padding
    end = (first + len(out)) * config.hop_length + config.padding
    audio = read(max(begin, 0), min(end, samples))
    if begin < 0 or end > samples:
        audio = np.pad(audio, (max(-begin, 0), max(end - samples, 0)), mode="reflect")
    _transform(sliding_window_view(audio, config.n_fft)[:: config.hop_length], config, out)


def _transform(frames: Float, config: MelConfig, out: Float) -> None:
    """Log-mel of unwindowed frames, (frames, n_fft) -> (frames, n_mels), written into `out`.

    Block by block, so that the spectra stay in the processor's cache. All blocks are equally
    long, the last one filled up: a frame's bytes do not depend on where in a block it lies, for
    no vector loop ends on a remainder, which may be rounded in another way.
    """
    import scipy.fft  # here, since models read this file's convention where no scipy is

    windowed = np.empty((_BLOCK, config.n_fft), np.float32)
    magnitude = np.empty((_BLOCK, config.n_bins), np.float32)
    by_bin = np.empty(magnitude.T.shape, np.float32)
    for start in range(0, len(frames), _BLOCK):
        block = frames[start : start + _BLOCK]
        np.multiply(block, window(config), out=windowed[: len(block)])
        windowed[len(block) :] = 0
        np.abs(scipy.fft.rfft(windowed, axis=1), out=magnitude)
        by_bin[:] = magnitude.T  # filters then add whole rows of frames
        mel = _sparse_filters(config) @ by_bin
        np.log(np.maximum(mel, np.float32(LOG_FLOOR), out=mel), out=mel)
        out[start : start + _BLOCK] = mel.T[: len(block)]


@lru_cache(maxsize=8)
def _sparse_filters(config: MelConfig) -> Any:
    """The filterbank as what it is: at most two filters overlap at a bin."""
    import scipy.sparse

    return scipy.sparse.csr_array(mel_filterbank(config))
