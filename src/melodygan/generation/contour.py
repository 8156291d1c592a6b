"""The loudness contour of a song, laid on what it was converted into.

A converted song has the training data's dynamics: a quiet verse may come out as loud as the chorus.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Powers = NDArray[np.float64]  # K-weighted mean squares of tenths of a second

WINDOW = 10  # tenths of a second: beats keep the course that their new style gives them
QUIET = 1e-6  # least power that counts, about -60 LUFS: silence must not be blown up
MOST = 12.0  # dB by which a passage is raised against the whole


class Contour:
    """Gains over time that give one sound the course of loudness of another.

    Not its loudness as a whole: the mean power of both has no say.
    """

    def __init__(self, wanted: Powers, found: Powers, rate: int) -> None:
        """Powers of both sounds, of which the shorter one counts. rate: Hz of what will be cut."""
        count = min(len(wanted), len(found))
        of_wanted, of_found = (
            (short_term(powers[:count]) + QUIET) / (powers[:count].mean() + QUIET)
            for powers in (wanted, found)
        )
        gain = np.minimum(10 * np.log10(of_wanted / of_found), MOST)
        self._gains = 10 ** (gain / 20)
        self._centres = (np.arange(count) + 0.5) * (rate // 10)  # samples

    def __call__(self, block: Float, start: int) -> Float:
        """Samples (n,) from position `start` on, with their gains: these lie on straight lines."""
        gains = np.interp(np.arange(start, start + len(block)), self._centres, self._gains)
        return block * gains.astype(np.float32)


def short_term(powers: NDArray[Any]) -> Powers:
    """Mean power of the second about each tenth of a second, of less at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(powers)])
    places = np.arange(len(powers))
    first = np.maximum(places - WINDOW // 2, 0)
    last = np.minimum(places + WINDOW // 2 + 1, len(powers))
    return (sums[last] - sums[first]) / (last - first)
