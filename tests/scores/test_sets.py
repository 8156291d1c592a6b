"""Scores of sets between their anchors, on made songs: what is better must look better."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError
from melodygan.scores.damage import backwards, blurred, shuffled
from melodygan.scores.directions import MEANINGS, judgeable
from melodygan.scores.rows import anywhere, regular
from melodygan.scores.sets import RealSets
from melodygan.training.verdict import differ

Float = NDArray[np.float32]
Make = Callable[..., list[Float]]

FRAMES = 96
NAMES = ("kernel_distance", "frechet_distance", "time_distance", "order_auc", "memorisation")
ANCHORS = {"value", "floor", "copies", "shuffled", "noise"}
DISTANCES = ("kernel_distance", "frechet_distance", "time_distance")


def decoder(clips: Float) -> Float:
    """What a decoder does to clips: detail is lost, and all is a little darker."""
    return blurred(clips, 0.8, 0.3) - 0.3


def some(tracks: list[Float], count: int, seed: int = 5) -> Float:
    return anywhere(tracks, FRAMES, count, np.random.default_rng(seed)).log_mel


@pytest.fixture(scope="module")
def train(tracks: Make) -> list[Float]:
    return tracks(24, 0)


@pytest.fixture(scope="module")
def held_out(tracks: Make) -> list[Float]:
    return tracks(16, 1)


@pytest.fixture(scope="module")
def real(train: list[Float], held_out: list[Float]) -> RealSets:
    return RealSets(train, held_out, FRAMES, 0)


@pytest.fixture(scope="module")
def decoded(train: list[Float], held_out: list[Float]) -> RealSets:
    """The same for a model whose clips come out of a decoder."""
    return RealSets(train, held_out, FRAMES, 0, decoder)


def test_every_score_has_its_value_its_anchors_and_an_interval(
    real: RealSets, tracks: Make
) -> None:
    scores = real.scores(some(tracks(24, 2), 80))
    assert tuple(scores) == NAMES
    for name, score in scores.items():
        assert set(score) >= ANCHORS, name
        for of, key in [
            ("value", "interval"),
            ("floor", "floor_interval"),
            ("shuffled", "shuffled_interval"),
        ]:
            low, high = score[key]
            assert low <= score[of] <= high, (name, key)


def test_sets_of_equal_size_are_compared(train: list[Float], held_out: list[Float]) -> None:
    few = RealSets(train, held_out, FRAMES, 0, count=7)
    assert few.count == len(few.held_out) == 7
    measure = few.measure("frechet_distance")
    assert {len(rows.values) for rows in (measure.reference, *measure.anchors.values())} == {7}


def test_new_songs_of_the_same_kind_lie_at_the_floor(real: RealSets, tracks: Make) -> None:
    scores = real.scores(some(tracks(24, 2), 90))
    for name in DISTANCES:
        span = scores[name]["noise"] - scores[name]["floor"]
        assert abs(scores[name]["value"] - scores[name]["floor"]) < 0.1 * span, name
    assert scores["order_auc"]["value"] == pytest.approx(0.5, abs=0.15)
    assert scores["memorisation"]["value"] == pytest.approx(1, abs=0.2)
    assert scores["memorisation"]["copied"] < 0.05


def test_songs_of_another_kind_are_further_away_than_the_floor(
    real: RealSets, tracks: Make
) -> None:
    scores = real.scores(some(tracks(12, 2, tempo=20, tilt=4.0), 90))
    for name in DISTANCES:
        assert differ(scores[name]["interval"], scores[name]["floor_interval"]), name
        assert scores[name]["value"] > scores[name]["floor"], name


def test_real_columns_in_random_order_are_heard_by_the_scores_of_time(
    decoded: RealSets, tracks: Make
) -> None:
    bag = decoder(shuffled(some(tracks(24, 2), 90), 8, np.random.default_rng(3)))
    scores = decoded.scores(bag)
    for name in ("time_distance", "order_auc"):
        score = scores[name]
        assert differ(score["interval"], score["floor_interval"]), name
        assert score["value"] > score["floor"], name
        assert score["value"] == pytest.approx(score["shuffled"], abs=0.1), name
    assert scores["order_auc"]["value"] > 0.75


def test_what_a_perfect_generator_behind_a_decoder_makes_is_in_order(
    decoded: RealSets, tracks: Make
) -> None:
    scores = decoded.scores(decoder(some(tracks(24, 2), 90)))
    assert not differ(scores["order_auc"]["interval"], scores["order_auc"]["floor_interval"])
    assert differ(scores["order_auc"]["interval"], scores["order_auc"]["shuffled_interval"])
    assert scores["memorisation"]["value"] == pytest.approx(1, abs=0.2)


def test_blur_and_reversal_are_heard_by_the_time_distance(real: RealSets, tracks: Make) -> None:
    new = some(tracks(24, 2), 90)
    for spoilt in (blurred(new, 4.0, 0.0), backwards(new)):
        score = real.scores(spoilt)["time_distance"]
        assert differ(score["interval"], score["floor_interval"])
        assert score["value"] > score["floor"]


def test_a_generator_that_copies_the_training_data_is_found_out(
    decoded: RealSets, train: list[Float]
) -> None:
    scores = decoded.scores(decoder(some(train, 90)))
    memorisation = scores["memorisation"]
    assert memorisation["value"] < 0.5 and memorisation["copies"] < 0.5
    assert memorisation["floor"] == pytest.approx(1.0)
    assert memorisation["copied"] > 0.5
    floor = scores["frechet_distance"]["floor"]
    assert scores["frechet_distance"]["value"] > 0.8 * floor, "and it gains nothing by it"


def test_a_generator_of_which_thirty_percent_are_copies_is_found_out(
    decoded: RealSets, train: list[Float], tracks: Make
) -> None:
    partly = np.concatenate([some(train, 27), some(tracks(24, 2), 63)])
    memorisation = decoded.scores(decoder(partly))["memorisation"]
    assert memorisation["value"] > 0.5, "the median does not tell"
    assert memorisation["copied"] == pytest.approx(0.3, abs=0.1)


def test_anchors_of_a_latent_model_go_through_its_decoder(
    real: RealSets, decoded: RealSets
) -> None:
    clips = real.held_out.log_mel
    plain, through = real.scores(clips), decoded.scores(clips)
    for anchor in ("copies", "shuffled"):
        assert through["kernel_distance"][anchor] > plain["kernel_distance"][anchor]
    for anchor in ("floor", "noise"):
        assert through["kernel_distance"][anchor] == plain["kernel_distance"][anchor]


def test_values_while_training_are_those_of_the_full_scores(real: RealSets, tracks: Make) -> None:
    clips = some(tracks(24, 2), 90)
    full = real.scores(clips)
    wanted = {name: full[name]["value"] for name in NAMES}
    assert real.values(clips, NAMES) == pytest.approx(wanted, rel=1e-9)


def test_a_further_embedding_is_one_more_distance(
    train: list[Float], held_out: list[Float]
) -> None:
    sets = RealSets(
        train, held_out, FRAMES, 0, further={"jury_distance": lambda clips: clips.mean(1)}
    )
    score = sets.scores(sets.held_out.log_mel + 3)["jury_distance"]
    assert set(score) >= ANCHORS
    assert score["value"] > score["floor"]


def test_one_held_out_track_has_scores_and_no_intervals(
    train: list[Float], held_out: list[Float]
) -> None:
    sets = RealSets(train, held_out[:1], FRAMES, 0)
    for name, score in sets.scores(some(train, 20)).items():
        assert score["interval"] is None and score["floor_interval"] is None
        assert np.isfinite([score[anchor] for anchor in ANCHORS]).all(), name


def test_equal_seeds_are_equal_scores(train: list[Float], held_out: list[Float]) -> None:
    clips = some(train, 20)
    first, second = (RealSets(train[:4], held_out, FRAMES, 4).scores(clips) for _ in range(2))
    assert first == second


def test_every_score_has_a_stated_direction() -> None:
    assert set(NAMES) | {"jury_distance"} <= set(MEANINGS)


def test_the_anchors_of_enough_songs_lie_in_order(real: RealSets, tracks: Make) -> None:
    for name, score in real.scores(some(tracks(2, 2), 20)).items():
        assert judgeable(name, score), name


@pytest.mark.parametrize("name", NAMES)
def test_inverted_anchors_are_too_little_data_to_judge(name: str) -> None:
    best, worst = (0.9, 0.1) if MEANINGS[name].higher else (0.1, 0.9)
    score = dict.fromkeys(ANCHORS, worst) | {"floor": best}
    assert judgeable(name, score)
    for anchor in MEANINGS[name].worse:
        assert not judgeable(name, score | {anchor: best}), anchor
        assert not judgeable(name, score | {"floor": worst, anchor: best}), anchor


def test_tracks_without_a_clip_between_them_are_an_error_that_says_so(train: list[Float]) -> None:
    with pytest.raises(UserError, match="no track has 96 frames"):
        RealSets(train, [track[:50] for track in train], FRAMES, 0)
    with pytest.raises(UserError, match="too few clips"):
        RealSets(train, [train[0][:FRAMES]], FRAMES, 0)


def test_held_out_tracks_that_are_training_tracks_are_an_error(train: list[Float]) -> None:
    with pytest.raises(UserError, match="duplicate tracks"):
        RealSets(train, train[:3], FRAMES, 0).scores(some(train, 20))


def test_clips_know_the_track_that_they_were_cut_from() -> None:
    mels = [np.full((length, 2), value, np.float32) for value, length in enumerate([50, 9, 30, 20])]
    for clips in (
        regular(mels, 10, 5, 100),
        regular(mels, 10, 5, 6),
        anywhere(mels, 10, 60, np.random.default_rng(0)),
    ):
        source = np.array([0, 2, 3])[clips.track]  # the second is too short for a clip
        np.testing.assert_array_equal(clips.log_mel[:, 0, 0], source)
    assert len(regular(mels, 10, 5, 100)) == 9 + 5 + 3
    assert len(regular(mels, 10, 5, 6)) == 6
