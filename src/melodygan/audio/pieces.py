"""A long signal in pieces: what a function of bounded memory makes of it, without seams."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def in_pieces(
    read: Callable[[int, int], Float],
    samples: int,
    work: Callable[[Float], Float],
    longest: int,
    margins: tuple[int, int],
    fade: int,
) -> Iterator[Float]:
    """Yield `work` of a signal, piece after piece: in all `samples` rows.

    read: `read(start, stop)` gives the rows of the signal, (stop - start, channels).
    work: gives a new array of as many rows as it gets; its result at a row may depend on all that
    it gets, but should hardly depend on what is further away than the margins.
    longest: rows of one piece. margins: rows that `work` gets more before and after a piece. Their
    results are thrown away but for the first `fade` after a piece (at most the margin there): over
    those one piece's result is crossfaded into the next one's. A signal of up to `longest` rows and
    the margin after them is one piece.
    """
    before, after = margins
    ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    start, tail = 0, None
    while start < samples:
        stop = start + longest
        if samples - stop <= after:
            stop = samples
        first = max(start - before, 0)
        made = work(read(first, min(stop + after, samples)))[start - first :]
        if tail is not None:
            made[:fade] = tail + (made[:fade] - tail) * ramp
        tail = made[stop - start : stop - start + fade].copy()
        yield made[: stop - start]
        start = stop
