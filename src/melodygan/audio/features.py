"""What is derived from a log-mel spectrogram: MFCC, and vectors that sum up stretches of time."""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.mel import PIECE

Float = NDArray[np.float32]
_ROWS = 16  # frames of a matrix product; few enough for no BLAS to split it among threads
_DECIBELS = 20 / np.log(10)  # of one neper, the unit of a natural logarithm


def mfcc(log_mel: Float, count: int) -> Float:
    """The first `count` mel-frequency cepstral coefficients: (frames, n_mels) -> (frames, count).

    Orthonormal DCT-II (Davis and Mermelstein 1980) of the mel magnitudes in dB,
    20 * log10(max(mel, 1e-5)); librosa's `mfcc` gives the same from that in the place of `S`.
    All products are of 16 frames, the last ones filled up, for BLAS rounds by shape and place:
    a track may be cut at any multiple of 16 frames. Raises ValueError for more than n_mels.
    """
    frames, n_mels = log_mel.shape
    if count > n_mels:
        raise ValueError(f"{count} MFCC of {n_mels} mel bands: there are no more than bands")
    result = np.empty((-(-frames // _ROWS), _ROWS, count), np.float32)
    whole = frames // _ROWS
    blocks = log_mel[: whole * _ROWS].reshape(whole, _ROWS, n_mels)
    np.matmul(blocks, _cosines(n_mels, count), out=result[:whole])
    if whole < len(result):
        last = np.zeros((_ROWS, n_mels), np.float32)
        last[: frames % _ROWS] = log_mel[whole * _ROWS :]
        np.matmul(last, _cosines(n_mels, count), out=result[whole])
    return result.reshape(-1, count)[:frames]


@lru_cache(maxsize=8)
def _cosines(n_mels: int, count: int) -> Float:
    """Orthonormal DCT-II from nepers to dB, shape (n_mels, count); read-only."""
    angles = np.pi / n_mels * np.outer(np.arange(n_mels) + 0.5, np.arange(count))
    matrix = np.cos(angles) * np.sqrt(2 / n_mels)
    matrix[:, 0] /= np.sqrt(2)
    matrix = (matrix * _DECIBELS).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def pooled(log_mel: Float, cepstra: Float, frames: int, hop: int) -> Float:
    """Mean and standard deviation over windows of time: (windows, 2 * (n_mels + n_mfcc)).

    Columns: mean of the log-mel, its standard deviation, mean of the MFCC, its standard
    deviation. A window spans `frames` frames and starts every `hop`; what is left at the end is
    dropped, but a track shorter than one window is pooled as a whole.
    """
    pooling = Pooling(len(log_mel), frames, hop)
    spans = [slice(start, start + PIECE) for start in range(0, len(log_mel), PIECE)]
    return np.concatenate([pooling.add(log_mel[span], cepstra[span]) for span in spans])


class Pooling:
    """`pooled` of a track of `frames` frames that come piece by piece; the bytes are the same.

    Windows are put together from the chunks that their starts and ends cut a track into, so
    frames in several windows are added up once. windows: how many the whole track has.
    """

    def __init__(self, frames: int, length: int, hop: int) -> None:
        length = min(length, frames)
        self.windows = (frames - length) // hop + 1
        self._chunk = gcd(length, hop)  # frames
        self._length, self._hop = length // self._chunk, hop // self._chunk  # in chunks
        self._next = 0  # first chunk of the next window
        self._frames: list[Float] = []  # log-mel and MFCC that fill no chunk yet
        self._moments: list[NDArray[np.float64]] = []  # of the chunks that windows to come need

    def add(self, log_mel: Float, cepstra: Float) -> Float:
        """Take the next frames; return the windows that end in them, (n, 2 * (n_mels + n_mfcc))."""
        values = [log_mel, cepstra]
        if self._frames:
            values = [np.concatenate(pair) for pair in zip(self._frames, values, strict=True)]
        whole = len(values[0]) // self._chunk * self._chunk
        self._frames = [v[whole:].copy() for v in values] if whole < len(values[0]) else []
        new = np.concatenate([_moments(v[:whole], self._chunk) for v in values], axis=2)
        moments = np.concatenate([*self._moments, new])
        last = len(moments) - self._length
        starts = range(self._next, last + 1, self._hop)
        width = log_mel.shape[1]
        totals = np.empty((len(starts), *moments.shape[1:]))
        for row, start in enumerate(starts):
            np.add.reduce(moments[start : start + self._length], axis=0, out=totals[row])
        self._next += len(starts) * self._hop
        used = min(self._next, len(moments))
        self._moments, self._next = [moments[used:]], self._next - used
        means, energies = np.moveaxis(totals / self._length, 1, 0)
        deviations = np.sqrt(np.maximum(energies - np.square(means), 0))
        columns = [means[:, :width], deviations[:, :width], means[:, width:], deviations[:, width:]]
        return np.concatenate(columns, axis=1, dtype=np.float32)


def _moments(values: Float, chunk: int) -> NDArray[np.float64]:
    """Mean, and mean of the squares, of each `chunk` frames: (chunks, 2, bands).

    The squares go the way of the deviations from the mean, since single precision would lose a
    small deviation beside a large mean.
    """
    chunks = values.reshape(-1, chunk, values.shape[1])
    means = np.add.reduce(chunks, axis=1) / np.float32(chunk)
    deviations = chunks - means[:, None]
    variances = np.add.reduce(np.square(deviations, out=deviations), axis=1) / np.float32(chunk)
    return np.stack([means, np.square(means, dtype=np.float64) + variances], axis=1)
