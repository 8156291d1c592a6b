"""What a figure says in words: how far on the way it is, in which direction, and when nothing."""

from typing import Any

import pytest

from melodygan.evaluation.readings import ANCHORS, read_scores
from melodygan.scores.directions import MEANINGS

SET = {"value": 0.4, "floor": 0.0, "copies": 0.1, "shuffled": 0.8, "noise": 0.9}


def said(name: str, **score: Any) -> str:
    ((read,), _) = read_scores({name: score})
    return read.sentence()


def test_every_anchor_that_a_score_is_judged_by_has_words() -> None:
    known = {key for of in MEANINGS.values() for key in (*of.worse, of.best) if key}
    assert known <= ANCHORS.keys()
    for name, meaning in MEANINGS.items():
        assert meaning.worse and (meaning.best or meaning.ideal is not None), name


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.8, "No better than shuffled real columns."),
        (1.7, "No better than shuffled real columns."),
        (0.4, "50% of the way from shuffled real columns to real music."),
        (0.0, "As good as real music."),
        (-0.2, "As good as real music."),
    ],
)
def test_a_score_is_placed_between_what_needs_no_model_and_the_best(
    value: float, words: str
) -> None:
    assert said("time_distance", **(SET | {"value": value})) == words


@pytest.mark.parametrize(("low", "high", "unclear"), [(0.3, 0.5, False), (0.3, 0.75, True)])
def test_intervals_that_overlap_the_baseline_s_show_nothing(
    low: float, high: float, unclear: bool
) -> None:
    of = SET | {"interval": [low, high], "shuffled_interval": [0.7, 0.9]}
    assert ("no difference is shown" in said("time_distance", **of)) == unclear


def test_a_comparison_on_the_same_tracks_counts_more_than_intervals_that_overlap() -> None:
    overlapping = SET | {"interval": [0.1, 0.8], "shuffled_interval": [0.6, 0.9]}
    assert "no difference is shown" in said("time_distance", **overlapping)
    for beside, unclear in (([0.3, 0.5], False), ([0.3, 0.81], True)):
        of = overlapping | {"beside_shuffled": beside}
        assert ("no difference is shown" in said("time_distance", **of)) == unclear


def test_a_single_test_track_judges_nothing() -> None:
    for value in (-1.0, 0.0, 0.4, 2.0):
        words = said("time_distance", **(SET | {"value": value, "interval": None}))
        assert words.startswith("Too little data to judge: a single test track.")
    table = {"log_mel_l1": 0.3, "baseline_log_mel_l1": 1.2, "log_mel_l1_interval": None}
    assert read_scores(table)[0][0].sentence().startswith("Too little data to judge")


def test_inverted_anchors_judge_nothing() -> None:
    for value in (-1.0, 0.5, 2.0):
        of = {"value": value, "floor": 0.9, "shuffled": 0.2}
        assert said("time_distance", **of).startswith("Too little data to judge")
        assert said("chroma", value=value, chance=1.0, identity=0.5).startswith("Too little data")


def test_noise_as_good_as_real_music_judges_nothing_though_shuffled_columns_are_worse() -> None:
    for noise in (0.0, -0.1):
        words = "Too little data to judge: noise is no worse than real music."
        assert said("time_distance", **(SET | {"noise": noise})).startswith(words)


def test_a_copier_is_told_so_and_how_much_it_copies() -> None:
    of = {"value": 0.3, "floor": 1.0, "copies": 0.3, "copied": 0.83}
    words = "No better than copies of the training data. 83% of the clips are copies."
    assert said("memorisation", **of) == words


def test_the_accuracy_of_its_classifier_stands_beside_a_style() -> None:
    of = {"value": 0.5, "identity": 0.0, "random_target": 1.0, "accuracy": 0.92}
    assert said("style_probability", **of).endswith("is right about 92% of real test clips.")


def test_scores_of_an_unknown_model_are_shown_without_a_judgement() -> None:
    table = {"sharpness": {"value": 2.5, "identity": 1.0, "sieve": 3.0}, "pages": 7}
    (score,), rest = read_scores(table)
    assert score.claim is None and rest == {"pages": 7}
    assert score.sentence() == "2.5, the source itself 1, sieve 3."


def test_a_flat_score_beside_its_baseline_is_one_score() -> None:
    table = {"log_mel_l1": 0.3, "baseline_log_mel_l1": 1.2, "perplexity": 80.5}
    (score,), rest = read_scores(table)
    assert rest == {"perplexity": 80.5}
    assert score.sentence() == "75% of the way from the baseline to perfect."


def test_a_flat_score_whose_interval_holds_its_baseline_shows_no_difference() -> None:
    table = {"log_mel_l1": 1.1, "baseline_log_mel_l1": 1.2, "log_mel_l1_interval": [0.9, 1.3]}
    (score,), rest = read_scores(table)
    assert rest == {} and score.interval == (0.9, 1.3)
    assert score.sentence().endswith("but on so few tracks no difference is shown.")


def test_the_score_that_a_conversions_verdict_rests_on_is_judged() -> None:
    of = {"value": 0.5, "identity": 1.0, "equaliser": 0.8}
    assert said("shortfall_both", **of) == "38% of the way from an equaliser to perfect."


def test_scores_by_direction_keep_their_direction() -> None:
    chroma = {"value": 0.5, "chance": 0.0, "identity": 1.0}
    scores, _ = read_scores({"a_to_b": {"chroma": chroma}, "b_to_a": {"chroma": chroma}})
    assert [(score.group, score.name) for score in scores] == [
        ("a_to_b", "chroma"),
        ("b_to_a", "chroma"),
    ]
