from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.audio.pieces import Float, in_pieces

REACH = 20  # rows on which a row of the stub's result depends, at either side


def blurred(signal: Float) -> Float:
    """A stub for a model: the sum of what is at most REACH rows away."""
    padded = np.pad(signal, ((REACH, REACH), (0, 0)))
    return np.stack([padded[i : i + 2 * REACH + 1].sum(0) for i in range(len(signal))])


def reader(signal: Float) -> Callable[[int, int], Float]:
    return lambda start, stop: signal[start:stop]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 700), st.integers(30, 300), st.integers(0, REACH))
def test_borders_do_not_show_where_the_margin_covers_the_context(
    samples: int, longest: int, fade: int
) -> None:
    # whole numbers, so that sums are exact
    signal = np.random.default_rng(samples).integers(-9, 9, (samples, 2)).astype(np.float32)
    sizes = []

    def work(piece: Float) -> Float:
        sizes.append(len(piece))
        return blurred(piece)

    parts = list(in_pieces(reader(signal), samples, work, longest, (REACH, REACH + fade), fade))
    np.testing.assert_array_equal(np.concatenate(parts), blurred(signal))
    assert max(sizes) <= longest + REACH + REACH + fade


def test_a_short_signal_is_one_piece() -> None:
    signal = np.ones((110, 2), np.float32)
    (part,) = in_pieces(reader(signal), 110, blurred, 100, (30, 10), 5)
    np.testing.assert_array_equal(part, blurred(signal))


def test_where_pieces_disagree_the_change_is_gradual() -> None:
    answers: Iterator[float] = iter(range(100))

    def work(piece: Float) -> Float:
        return np.full_like(piece, next(answers))

    signal = np.zeros((1000, 2), np.float32)
    parts = list(in_pieces(reader(signal), 1000, work, 300, (90, 50), 25))
    made = np.concatenate(parts)
    assert made[0, 0] == 0 and made[-1, 0] == len(parts) - 1 >= 2
    assert np.abs(np.diff(made, axis=0)).max() == pytest.approx(1 / 24, rel=1e-4)
