"""Loudness and true peak (ITU-R BS.1770-4) of streams, and the gain that both allow."""

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SHORTEST = 0.4  # s; one gating block of BS.1770
_HOPS = 4  # in a gating block, of a tenth of a second each
_ABSOLUTE_GATE = -70.0  # LUFS
_RELATIVE_GATE = -10.0  # LU
_SEGMENT = 8  # hops that are weighted at a time, behind one hop of what was before them
_SEGMENTS = 8  # transformed at once: always as many, for their number may change the rounding
_OVERSAMPLING = 4
_BLOCK = 1 << 16  # samples


class LoudnessMeter:
    """Integrated loudness of one channel, block by block, however it is cut into them.

    The K-weighting is done by overlap-save: products of spectra. The filter's response has
    decayed below single precision after one hop, so a hop of history is all it needs.
    """

    def __init__(self, rate: int) -> None:
        from scipy.fft import next_fast_len  # half a second of imports: only where there is work

        self._hop = rate // 10
        self._size = next_fast_len((_SEGMENT + 1) * self._hop, real=True)  # of a transform
        self._weighting = _k_weighting(rate, self._size)
        self._rest = np.zeros(self._hop, np.float32)  # a hop of history, and what is not measured
        self._powers: list[NDArray[np.float64]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure the next samples (n,)."""
        samples, step = np.concatenate([self._rest, block]), _SEGMENTS * _SEGMENT * self._hop
        while len(samples) >= step + self._hop:
            self._powers.append(self._power(samples))
            samples = samples[step:]
        self._rest = samples

    def _power(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        """Weighted mean square of each hop of the first segments, after the hop of history."""
        from scipy.fft import irfft, rfft

        length, step = (_SEGMENT + 1) * self._hop, _SEGMENT * self._hop
        segments = sliding_window_view(samples, length)[::step][:_SEGMENTS]
        spectra = rfft(segments, self._size, axis=1) * self._weighting
        weighted = irfft(spectra, self._size, axis=1)[:, self._hop : length]
        hops = weighted.reshape(-1, self._hop)
        return np.einsum("ij,ij->i", hops, hops).astype(np.float64) / self._hop

    def powers(self) -> NDArray[np.float64]:
        """K-weighted mean square of each whole tenth of a second so far."""
        left = len(self._rest) // self._hop - 1  # whole hops
        padding = np.zeros(_SEGMENTS * _SEGMENT * self._hop, np.float32)
        last = self._power(np.concatenate([self._rest, padding]))[:left]
        return np.concatenate([*self._powers, last])

    def loudness(self, gain: float = 1.0) -> float:
        """LUFS of the samples times `gain`; -inf where no gating block is above -70 LUFS.

        Raises ValueError for less than 0.4 s, one gating block.
        """
        hops = self.powers()
        if len(hops) < _HOPS:
            raise ValueError(f"loudness needs {SHORTEST} s of audio")
        power = sliding_window_view(hops, _HOPS).mean(axis=1) * gain**2
        power = power[power > _from_lufs(_ABSOLUTE_GATE)]
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


def _from_lufs(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _k_weighting(rate: int, size: int) -> NDArray[np.complex64]:
    """The filter of BS.1770 at any rate: its response at the frequencies of an rfft of `size`.

    The standard has coefficients for 48 kHz only. They are a high shelf of 4 dB at 1500 Hz and a
    high pass at 38 Hz, here in the form of R. Bristow-Johnson's Audio EQ Cookbook.
    """
    root = 10 ** (4.0 / 40)
    omega = 2 * np.pi * 1500 / rate
    cosine, alpha = np.cos(omega), np.sin(omega) / np.sqrt(2)
    up, down, side = root + 1, root - 1, 2 * np.sqrt(root) * alpha
    shelf = (
        [
            root * (up + down * cosine + side),
            -2 * root * (down + up * cosine),
            root * (up + down * cosine - side),
        ],
        [up - down * cosine + side, 2 * (down - up * cosine), up - down * cosine - side],
    )
    omega = 2 * np.pi * 38 / rate
    cosine, alpha = np.cos(omega), np.sin(omega)
    low = (1 + cosine) / 2
    high_pass = ([low, -2 * low, low], [1 + alpha, -2 * cosine, 1 - alpha])
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)  # 1 / z
    powers = delay[:, None] ** np.arange(3)
    response = np.ones(len(delay), np.complex128)
    for numerator, denominator in (shelf, high_pass):
        response *= (powers @ numerator) / (powers @ denominator)
    return response.astype(np.complex64)
