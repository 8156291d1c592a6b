"""How much of a recording was cut off at full scale."""

import numpy as np
from numpy.typing import NDArray

FULL = 0.999  # of full scale


def clipped_fraction(audio: NDArray[np.float32]) -> float:
    """Fraction of the samples that lie in runs of three or more at full scale.

    audio: (samples, channels). One or two samples at full scale are what a normalised recording
    has at its peak; three in a row are a flattened wave.
    """
    full = np.abs(audio) >= FULL
    runs = full[:-2] & full[1:-1] & full[2:]
    clipped = np.zeros_like(full)
    for shift in range(3):
        clipped[shift : len(full) - 2 + shift] |= runs
    return float(clipped.mean())
