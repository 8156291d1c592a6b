"""Intervals over tracks: as wide as what they promise, and silent where they can show nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.scores.bootstrap import mean_interval, paired_interval
from melodygan.scores.distances import kernel_distance, order_auc
from melodygan.scores.intervals import beside, draws, interval_of, tracks_needed
from melodygan.scores.rows import Rows
from melodygan.training.verdict import differ

Matrix = NDArray[np.float64]


def logits(tracks: int, clips: int, seed: int, shift: float = 0.0) -> Rows:
    """One number a clip, most of whose spread is between tracks."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(tracks).repeat(clips) + 0.3 * rng.standard_normal(tracks * clips)
    return Rows(values[:, None] + shift, np.arange(tracks).repeat(clips))


def interval(clips: Rows, reference: Rows) -> list[float]:
    return interval_of(draws(order_auc, clips, reference, 0))


def test_more_tracks_narrow_an_interval_and_more_clips_of_the_same_do_not() -> None:
    def width(tracks: int, clips: int) -> float:
        found = [
            interval(logits(tracks, clips, s), logits(tracks, clips, s + 99)) for s in range(8)
        ]
        return float(np.mean([high - low for low, high in found]))

    few = width(4, 10)
    assert width(16, 10) == pytest.approx(few / 2, rel=0.3)
    assert width(4, 40) == pytest.approx(few, rel=0.3)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(100):
        low, high = interval(logits(12, 4, seed), logits(12, 4, seed + 1000))
        held += low <= 0.5 <= high
    assert 80 <= held <= 98


def test_the_value_lies_inside_its_interval() -> None:
    a, b = logits(6, 5, 0), logits(6, 5, 1)
    drawn = draws(kernel_distance, a, b, 0)
    low, high = interval_of(drawn)
    assert low < drawn[0] < high


def test_sets_of_the_same_tracks_are_compared_draw_by_draw() -> None:
    """Most of the spread is between tracks, and both sets have it: their difference has not."""
    clips, reference = logits(4, 10, 0), logits(4, 10, 1)
    spoilt = Rows(clips.values - 1.0, clips.track)
    whole, worse = (draws(order_auc, of, reference, 0) for of in (clips, spoilt))
    assert differ(beside(worse, whole), [whole[0], whole[0]])
    assert not differ(interval_of(worse), interval_of(whole)), "alone they show nothing"
    assert beside(worse, whole)[0] > whole[0], "and it says which is the worse one"


def test_a_set_beside_itself_or_other_tracks_of_the_kind_shows_no_difference() -> None:
    reference = logits(6, 10, 1)
    one, other = (draws(order_auc, logits(6, 10, seed), reference, 0) for seed in (0, 2))
    assert beside(one, one) == pytest.approx([one[0], one[0]])
    assert not differ(beside(other, one), [one[0], one[0]])


def test_one_held_out_track_says_nothing_of_how_many_are_needed() -> None:
    assert tracks_needed(None, 1, 0.1) is None


def test_half_the_width_needs_four_times_the_tracks() -> None:
    assert tracks_needed([0.2, 0.6], 4, 0.2) == 16
    assert tracks_needed([0.2, 0.6], 4, 9.0) == 2


def test_a_small_gain_on_every_track_is_shown_although_tracks_differ_more_among_themselves() -> (
    None
):
    hard = [0.2, 1.0, 3.0, 9.0]
    better = [value - 0.1 - value / 1000 for value in hard]
    alone, paired = mean_interval(better, 0), paired_interval(better, hard, 0)
    assert alone is not None and alone[0] < np.mean(hard) < alone[1]
    assert paired is not None and paired[0] < np.mean(better) < paired[1] < np.mean(hard)


def test_gains_on_some_tracks_and_losses_on_others_show_no_difference() -> None:
    found = paired_interval([1.0, 1.4, 2.6], [1.2, 1.2, 2.8], 0)
    assert found is not None and found[0] < np.mean([1.2, 1.2, 2.8]) < found[1]


def test_the_mean_of_one_track_has_no_interval() -> None:
    assert mean_interval([1.0], 0) is None and paired_interval([1.0], [2.0], 0) is None
