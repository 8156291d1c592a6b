"""Loudness and true peak (ITU-R BS.1770-4) of streams, and the gain that both allow."""

import numpy as np
import soxr
from numpy.typing import NDArray

SHORTEST = 0.4  # s; one gating block of BS.1770
_HOPS = 4  # in a gating block, of a tenth of a second each
_ABSOLUTE_GATE = -70.0  # LUFS
_RELATIVE_GATE = -10.0  # LU
_OVERSAMPLING = 4
_BLOCK = 1 << 16  # samples
_NOTHING = 1e-30  # filter states below it are denormal soon, and then very slow


class LoudnessMeter:
    """Integrated loudness of one channel, block by block, however it is cut into them."""

    def __init__(self, rate: int) -> None:
        self._hop = rate // 10
        self._weighting = _k_weighting(rate)
        self._state = np.zeros((len(self._weighting), 2))
        self._rest = np.zeros(0, np.float32)
        self._powers: list[NDArray[np.float64]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure the next samples (n,)."""
        from scipy.signal import sosfilt  # a second of imports: only where there is work

        samples = np.concatenate([self._rest, block])
        whole = len(samples) // self._hop * self._hop
        self._rest = samples[whole:]
        if not whole:
            return
        weighted, self._state = sosfilt(self._weighting, samples[:whole], zi=self._state)
        self._state[np.abs(self._state) < _NOTHING] = 0
        hops = weighted.reshape(-1, self._hop)
        self._powers.append(np.einsum("ij,ij->i", hops, hops) / self._hop)

    def loudness(self, gain: float = 1.0) -> float:
        """LUFS of the samples times `gain`; -inf where no gating block is above -70 LUFS.

        Raises ValueError for less than 0.4 s, one gating block.
        """
        hops = np.concatenate([np.zeros(0), *self._powers])
        if len(hops) < _HOPS:
            raise ValueError(f"loudness needs {SHORTEST} s of audio")
        power = np.lib.stride_tricks.sliding_window_view(hops, _HOPS).mean(axis=1) * gain**2
        power = power[power > _power(_ABSOLUTE_GATE)]
        if not len(power):
            return -np.inf
        power = power[power > power.mean() * 10 ** (_RELATIVE_GATE / 10)]
        return float(10 * np.log10(power.mean()) - 0.691)


class TruePeakMeter:
    """Largest magnitude of one channel between the samples too: at four times the rate."""

    def __init__(self, rate: int) -> None:
        self._stream = soxr.ResampleStream(
            rate, _OVERSAMPLING * rate, 1, dtype="float32", quality="HQ"
        )
        self._peak = 0.0

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure the next samples (n,)."""
        self._peak = max(self._peak, magnitude(block))
        self._peak = max(self._peak, magnitude(self._stream.resample_chunk(block)))

    def finish(self) -> float:
        """The peak (linear); nothing can be added after it."""
        last = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return max(self._peak, magnitude(last))


def integrated_loudness(audio: NDArray[np.float32], rate: int) -> float:
    """What LoudnessMeter finds in (samples,) at `rate` Hz. Raises ValueError below 0.4 s."""
    meter = LoudnessMeter(rate)
    for start in range(0, len(audio), _BLOCK):
        meter.add(audio[start : start + _BLOCK])
    return meter.loudness()


def true_peak(audio: NDArray[np.float32], rate: int) -> float:
    """What TruePeakMeter finds in (samples,) at `rate` Hz."""
    meter = TruePeakMeter(rate)
    for start in range(0, len(audio), _BLOCK):
        meter.add(audio[start : start + _BLOCK])
    return meter.finish()


def magnitude(samples: NDArray[np.float32]) -> float:
    """Largest magnitude of any array; 0 of an empty one."""
    return max(float(samples.max(initial=0)), -float(samples.min(initial=0)))


def normalising_gain(loudness: float, peak: float, target_lufs: float, ceiling_db: float) -> float:
    """Linear gain from `loudness` (LUFS) to `target_lufs`, less where `peak` (linear, > 0) would
    pass `ceiling_db` (dB of full scale): a louder result would have to be limited or clipped.
    """
    return float(min(10 ** ((target_lufs - loudness) / 20), 10 ** (ceiling_db / 20) / peak))


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _k_weighting(rate: int) -> NDArray[np.float64]:
    """The two second-order sections of BS.1770 at any rate, as scipy's (2, 6).

    The standard has coefficients for 48 kHz only. They are a high shelf of 4 dB at 1500 Hz and a
    high pass at 38 Hz, here in the form of R. Bristow-Johnson's Audio EQ Cookbook.
    """
    root = 10 ** (4.0 / 40)
    omega = 2 * np.pi * 1500 / rate
    cosine, alpha = np.cos(omega), np.sin(omega) / np.sqrt(2)
    up, down, side = root + 1, root - 1, 2 * np.sqrt(root) * alpha
    shelf = [
        root * (up + down * cosine + side),
        -2 * root * (down + up * cosine),
        root * (up + down * cosine - side),
        up - down * cosine + side,
        2 * (down - up * cosine),
        up - down * cosine - side,
    ]
    omega = 2 * np.pi * 38 / rate
    cosine, alpha = np.cos(omega), np.sin(omega)
    low = (1 + cosine) / 2
    high_pass = [low, -2 * low, low, 1 + alpha, -2 * cosine, 1 - alpha]
    sections = np.array([shelf, high_pass])
    return sections / sections[:, 3:4]
