"""16-bit samples and back: the one scale (32767 = full) of every int16 array of the project."""

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 32767


def to_int16(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round float samples in [-1, 1] to int16, any shape; what lies outside is clipped."""
    return np.rint(np.clip(audio, -1, 1) * FULL_SCALE).astype(np.int16)


def from_int16(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """The float samples that `to_int16` rounded, to within half a step."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)
