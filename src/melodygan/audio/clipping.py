"""How much of a recording was cut off at full scale."""

import numpy as np
from numpy.typing import NDArray

FULL = 0.999  # of full scale
_RIPPLE = 10 ** (1 / 20)  # what a lossy coder makes of a flattened wave: up to 1 dB more
_FLAT = 1e-6  # relative difference of two samples of a flat top; the peak of a 20 Hz tone has more


class ClippingMeter:
    """Fraction of the samples that lie in runs of three or more at full scale.

    One or two samples at full scale are what a normalised recording has at its peak; three in a
    row are a flattened wave. Floating point goes on above full scale, where only a wave with a
    flat top has been cut off. The result does not depend on how the recording is cut into blocks.
    """

    def __init__(self, exact: bool = True) -> None:
        """exact: whether the samples are those that were stored, not a lossy coder's."""
        self._ceiling = 1.0 if exact else _RIPPLE
        self._last = np.zeros((1, 1), np.float32)  # sample of each channel
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
            self._last = block[-1:].copy() if len(block) else self._last
            return
        full = np.concatenate([self._full, self._at_the_limit(block)])
        self._clipped += _in_runs(full)
        self._full = full[-4:]

    def _at_the_limit(self, block: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which samples (n, channels) are at full scale, or above it like the one before them."""
        level = np.abs(block)
        before = np.concatenate([np.broadcast_to(self._last, (1, block.shape[1])), block[:-1]])
        flat = np.abs(block - before[: len(block)]) <= _FLAT * level
        self._last = block[-1:].copy() if len(block) else self._last
        limited: NDArray[np.bool_] = (level >= FULL) & ((level <= self._ceiling) | flat)
        return limited

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
