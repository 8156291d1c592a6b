"""Acoustic fingerprints: the same recording gives nearly the same bits in any encoding.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): each frame
is 32 signs of how the energy difference of neighbouring frequency bands changes in time. Here the
energies are logarithmic, so that gain and equalisation cancel, and are smoothed over half a
second, so that ten frames a second suffice wherever the two recordings begin.
"""

import numpy as np
from numpy.typing import NDArray

FRAME_SECONDS = 2048 / 22050
UNINFORMATIVE = np.uint32(0)  # in place of the bits of a silent or steady frame
LOWEST_RATE = 8000  # Hz

_BITS = 32
_BAND = (200.0, 3000.0)  # Hz; what every codec and every room keeps
_SMOOTHING = np.array([1, 2, 3, 2, 1], np.float32)  # frames; makes the bits forgive an offset
_LAG = 6  # frames from a smoothed energy to the one it is compared with
_MASKED = 0.03  # of the frame's mean band energy: weaker bands are lost to codecs and hiss
_SILENT = 3e-4  # of the loudest frame's mean band energy (-35 dB): what is weaker, hiss covers
_CONTRAST = 0.15  # mean change of a band difference (ln); music has 0.3 and more
_CHUNK = 32  # frames transformed at once; always as many, for rounding depends on it


class Fingerprinter:
    """Fingerprint of a mono signal that comes in blocks; where they are cut makes no difference."""

    def __init__(self, rate: int) -> None:
        """rate: Hz of the signal. Raises ValueError below 8 kHz."""
        from scipy.fft import next_fast_len  # half a second of imports: only where there is work

        if rate < LOWEST_RATE:
            raise ValueError(f"a fingerprint needs a sample rate of at least 8000 Hz, not {rate}")
        self._hop = round(FRAME_SECONDS / 2 * rate)  # half a window: Hann windows sum to one
        window = 2 * self._hop
        self._size = next_fast_len(window, real=True)
        self._window = np.sin(np.pi * np.arange(window) / window).astype(np.float32) ** 2
        self._first, self._bands = _band_matrix(self._size, rate)
        # the windows of a chunk reach half a window into the next chunk
        self._buffer = np.zeros((2 * _CHUNK + 1) * self._hop, np.float32)
        self._filled = 0
        self._energies: list[NDArray[np.float32]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Take in the next (samples,) of the signal."""
        start = 0
        while start < len(block):
            part = block[start : start + len(self._buffer) - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            start += len(part)
            if self._filled == len(self._buffer):
                self._energies.append(self._transform())
                self._buffer[: self._hop] = self._buffer[-self._hop :]
                self._filled = self._hop

    def result(self) -> NDArray[np.uint32]:
        """Bits of each frame, (frames,): one per 92.9 ms, UNINFORMATIVE where nothing changes.

        A signal of less than about a second has no frames.
        """
        self._buffer[self._filled :] = 0
        rest = self._transform()[: max(self._filled - self._hop, 0) // (2 * self._hop)]
        return _bits(np.concatenate([*self._energies, rest]))

    def _transform(self) -> NDArray[np.float32]:
        """Band energies of the buffer, (_CHUNK, _BITS + 1)."""
        from scipy.fft import rfft

        windows = np.lib.stride_tricks.sliding_window_view(self._buffer, 2 * self._hop)
        spectrum = rfft(windows[:: self._hop] * self._window, self._size, axis=1)
        spectrum = spectrum[:, self._first : self._first + len(self._bands)]
        energies = (spectrum.real**2 + spectrum.imag**2) @ self._bands
        pairs: NDArray[np.float32] = energies[0::2] + energies[1::2]
        return pairs


def fingerprint(audio: NDArray[np.float32], rate: int) -> NDArray[np.uint32]:
    """Fingerprint, (frames,), of a whole mono signal (samples,) at `rate` Hz."""
    printer = Fingerprinter(rate)
    printer.add(audio)
    return printer.result()


def _band_matrix(size: int, rate: int) -> tuple[int, NDArray[np.float32]]:
    """First bin, and the share of it and later bins, (bins, bands), in log-spaced bands."""
    edges = np.geomspace(*_BAND, _BITS + 2) * size / rate
    first = round(edges[0])
    bins = np.arange(first, round(edges[-1]) + 1)[:, None]
    share = np.minimum(bins + 0.5, edges[1:]) - np.maximum(bins - 0.5, edges[:-1])
    return first, np.clip(share, 0, 1).astype(np.float32)


def _bits(energies: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Signs of the change of the band differences of (frames, bands), packed."""
    frames = len(energies) - len(_SMOOTHING) + 1
    if frames <= _LAG:
        return np.zeros(0, np.uint32)
    smooth = sum(w * energies[i : i + frames] for i, w in enumerate(_SMOOTHING))
    mean = smooth.mean(axis=1, keepdims=True)
    floor = _MASKED * mean + _SILENT * mean.max() + np.finfo(np.float32).tiny
    change = np.diff(np.log(smooth + floor), axis=1)
    change = change[_LAG:] - change[:-_LAG]
    packed = np.packbits(change > 0, axis=1, bitorder="little")
    bits = packed.view("<u4")[:, 0].astype(np.uint32)
    bits[np.abs(change).mean(axis=1) < _CONTRAST] = UNINFORMATIVE
    return bits
