"""Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, arXiv 1811.02508)."""

import numpy as np
from numpy.typing import NDArray

LIMIT_DB = 100.0


def si_sdr(estimate: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """SI-SDR of `estimate` against `reference` in dB, from -100 to 100.

    Both have the same shape; all channels count as one signal. The estimate is split into its
    projection on the reference and the rest: with c the cosine between the two signals, the ratio
    of their energies is c^2 / (1 - c^2). A silent estimate gets -100 dB.

    Raises ValueError for different shapes and for a silent reference, which has no projection.
    """
    if estimate.shape != reference.shape:
        raise ValueError(f"the shapes {estimate.shape} and {reference.shape} differ")
    heard, true = estimate.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
    energy = true @ true
    if energy == 0:
        raise ValueError("the reference is silent")
    heard_energy = heard @ heard
    floor = 10 ** (-LIMIT_DB / 10)
    squared_cosine = (heard @ true) ** 2 / (heard_energy * energy) if heard_energy > 0 else 0.0
    target = max(squared_cosine, floor)
    distortion = max(1 - squared_cosine, floor)
    return float(np.clip(10 * np.log10(target / distortion), -LIMIT_DB, LIMIT_DB))
