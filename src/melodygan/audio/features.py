"""What is derived from a log-mel spectrogram: MFCC, and vectors that sum up stretches of time."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Float = NDArray[np.float32]
_BLOCK = 256  # frames
_DECIBELS = np.float32(20 / np.log(10))  # of one neper, the unit of a natural logarithm


def mfcc(log_mel: Float, count: int) -> Float:
    """The first `count` mel-frequency cepstral coefficients: (frames, n_mels) -> (frames, count).

    Orthonormal DCT-II (Davis and Mermelstein 1980) of the mel magnitudes in dB,
    20 * log10(max(mel, 1e-5)); librosa's `mfcc` gives the same from that in the place of `S`.
    """
    result = np.empty((len(log_mel), count), np.float32)
    for start in range(0, len(log_mel), _BLOCK):
        block = scipy.fft.dct(log_mel[start : start + _BLOCK], axis=1, norm="ortho")
        result[start : start + _BLOCK] = block[:, :count] * _DECIBELS
    return result


def pooled(log_mel: Float, cepstra: Float, frames: int, hop: int) -> Float:
    """Mean and standard deviation over windows of time: (windows, 2 * (n_mels + n_mfcc)).

    Columns: mean of the log-mel, its standard deviation, mean of the MFCC, its standard
    deviation. A window spans `frames` frames and starts every `hop`; what is left at the end is
    dropped, but a track shorter than one window is pooled as a whole.
    """
    length = min(frames, len(log_mel))
    starts = range(0, len(log_mel) - length + 1, hop)
    columns = []
    for values in (log_mel, cepstra):
        means = np.empty((len(starts), values.shape[1]), np.float32)
        variances = np.empty_like(means)
        for row, start in enumerate(starts):
            # twice as fast as numpy's mean and std, which prepare for more cases than this
            window = values[start : start + length]
            means[row] = np.add.reduce(window, axis=0) / length
            variances[row] = np.add.reduce(np.square(window - means[row]), axis=0) / length
        columns += [means, np.sqrt(variances)]
    return np.concatenate(columns, axis=1)
