"""The judge of order knows new songs from spoilt ones, and does not mind blur."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.scores.damage import backwards, blurred, halves_swapped, shuffled
from melodygan.scores.order import OrderJudge
from melodygan.scores.rows import regular

Float = NDArray[np.float32]
Make = Callable[..., list[Float]]

FRAMES = 96


@pytest.fixture(scope="module")
def judge(tracks: Make) -> OrderJudge:
    return OrderJudge(regular(tracks(24, 0), FRAMES, 40, 512).log_mel, 0)


@pytest.fixture(scope="module")
def held_out(tracks: Make) -> Float:
    return regular(tracks(24, 1), FRAMES, 40, 512).log_mel


def auc(judge: OrderJudge, clips: Float, real: Float) -> float:
    return float((judge.logits(clips)[:, None] < judge.logits(real)).mean())


@pytest.mark.parametrize("columns", [4, 8, 16])
def test_shuffled_columns_are_out_of_order(
    judge: OrderJudge, held_out: Float, columns: int
) -> None:
    spoilt = shuffled(held_out, columns, np.random.default_rng(5))
    assert auc(judge, spoilt, held_out) > 0.75


def test_reversed_and_wholly_random_frames_are_out_of_order(
    judge: OrderJudge, held_out: Float
) -> None:
    assert auc(judge, backwards(held_out), held_out) > 0.9
    assert auc(judge, shuffled(held_out, 1, np.random.default_rng(5)), held_out) > 0.9


def test_other_songs_and_blurred_ones_are_as_ordered_as_held_out_ones(
    judge: OrderJudge, held_out: Float, tracks: Make
) -> None:
    others = regular(tracks(24, 2), FRAMES, 40, 512).log_mel
    assert auc(judge, others, held_out) == pytest.approx(0.5, abs=0.15)
    assert auc(judge, blurred(held_out, 0.8, 0.3), held_out) < 0.65


def test_level_and_equaliser_are_no_disorder(judge: OrderJudge, held_out: Float) -> None:
    equaliser = np.linspace(-1, 1, held_out.shape[2], dtype=np.float32)
    np.testing.assert_allclose(judge.logits(held_out + 2), judge.logits(held_out), atol=1e-3)
    assert auc(judge, held_out + equaliser, held_out) == pytest.approx(0.5, abs=0.1)


def test_equal_seeds_are_equal_judges(judge: OrderJudge, held_out: Float, tracks: Make) -> None:
    again = OrderJudge(regular(tracks(24, 0), FRAMES, 40, 512).log_mel, 0)
    np.testing.assert_array_equal(again.logits(held_out), judge.logits(held_out))


def test_shuffling_keeps_every_column_and_only_their_order_changes() -> None:
    clips = np.arange(2 * 35 * 3, dtype=np.float32).reshape(2, 35, 3)
    made = shuffled(clips, 8, np.random.default_rng(0))
    assert not np.array_equal(made, clips)
    np.testing.assert_array_equal(made[:, 32:], clips[:, 32:])
    for before, after in zip(clips, made, strict=True):
        columns = {column.tobytes() for column in before[:32].reshape(4, 8, 3)}
        assert {column.tobytes() for column in after[:32].reshape(4, 8, 3)} == columns


def test_swapped_halves_have_one_seam() -> None:
    clips = np.arange(64, dtype=np.float32).reshape(1, 64, 1)
    steps = np.diff(halves_swapped(clips, np.random.default_rng(0))[0, :, 0])
    assert (steps != 1).sum() == 1


def test_blur_keeps_the_mean_of_what_is_constant_and_spreads_an_impulse() -> None:
    flat = np.full((1, 20, 10), 3.0, np.float32)
    np.testing.assert_allclose(blurred(flat, 2.0, 1.0), flat, atol=1e-5)
    impulse = np.zeros((1, 41, 41), np.float32)
    impulse[0, 20, 20] = 1.0
    made = blurred(impulse, 3.0, 0.0)[0]
    assert made.sum() == pytest.approx(1.0, abs=1e-5)
    spread = np.sqrt((made.sum(1) * (np.arange(41) - 20.0) ** 2).sum())
    assert spread == pytest.approx(3.0, rel=0.05)
    assert made[:, 19].sum() == 0
