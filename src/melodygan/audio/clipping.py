"""How much of a recording was cut off at full scale."""

import numpy as np
from numpy.typing import NDArray

FULL = 0.999  # of full scale


class ClippingMeter:
    """Fraction of the samples that lie in runs of three or more at full scale.

    One or two samples at full scale are what a normalised recording has at its peak; three in a
    row are a flattened wave. The result does not depend on how the recording is cut into blocks.
    """

    def __init__(self) -> None:
        # two samples whose runs are known, then up to two whose runs may still grow
        self._full: NDArray[np.bool_] | None = None
        self._clipped = 0
        self._samples = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Count the next block (n, channels)."""
        self._samples += block.size
        if self._full is None:
            self._full = np.zeros((2, block.shape[1]), np.bool_)
        # least and greatest first: most blocks are far from full scale
        if not self._full.any() and block.max(initial=0) < FULL and block.min(initial=0) > -FULL:
            rows = min(4, len(self._full) + len(block))
            self._full = np.zeros((rows, block.shape[1]), np.bool_)
            return
        full = np.concatenate([self._full, np.abs(block) >= FULL])
        self._clipped += _in_runs(full)
        self._full = full[-4:]

    @property
    def fraction(self) -> float:
        """Of all samples so far; 0 where there are none."""
        if self._full is None or not self._samples:
            return 0.0
        end = np.zeros((2, self._full.shape[1]), np.bool_)
        rest = _in_runs(np.concatenate([self._full, end]))
        return (self._clipped + rest) / self._samples


def _in_runs(full: NDArray[np.bool_]) -> int:
    """How many of (samples, channels), but for two at either end, lie in runs of three."""
    runs = full[:-2] & full[1:-1] & full[2:]
    # n-2 runs; sample i of the inner ones is in the runs that start at i - 2, i - 1 and i
    return int(np.count_nonzero(runs[:-2] | runs[1:-1] | runs[2:]))


def clipped_fraction(audio: NDArray[np.float32]) -> float:
    """What ClippingMeter finds in one block (samples, channels)."""
    meter = ClippingMeter()
    meter.add(audio)
    return meter.fraction
