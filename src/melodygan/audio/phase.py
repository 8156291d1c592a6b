"""Channels that were wired upside down, found before a mixdown lets them cancel each other."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_OPPOSITE = -0.6  # correlation; of equal channels, the sum then has a quarter of the difference


def polarity(blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """+1 or -1 for each channel, such that the channels of (n, channels) blocks add up.

    A channel is turned over where its correlation with the sum of those before it is below -0.6:
    a wide stereo picture has more than that, swapped wires have not.
    """
    total: NDArray[np.float64] | None = None
    for block in blocks:
        if block.shape[1] == 1:
            return np.ones(1, np.float32)
        # in double precision, and with no BLAS, whose rounding depends on the block
        product = np.einsum("ij,ik->jk", block, block, dtype=np.float64)
        total = product if total is None else total + product
    return np.ones(0, np.float32) if total is None else _signs(total)


def _signs(products: NDArray[np.float64]) -> NDArray[np.float32]:
    """products: the sums of each two channels' products, (channels, channels)."""
    signs = np.ones(len(products))
    for channel in range(1, len(products)):
        before = signs[:channel]
        power = products[channel, channel] * (before @ products[:channel, :channel] @ before)
        if before @ products[:channel, channel] < _OPPOSITE * np.sqrt(power):
            signs[channel] = -1
    return signs.astype(np.float32)
