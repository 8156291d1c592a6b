"""What the verdict on invented sound is given, and when it must not judge."""

from typing import Any

import pytest

from melodygan.scores.claims import set_claim, timbre_claim
from melodygan.training.verdict import Outcome, verdict

ANCHORS = {"floor": 0.1, "shuffled": 0.8, "noise": 0.9}
ENDED = Outcome(2, 2, 1.0, "", 2, improving=False, warnings=())


def said(value: float, **changes: Any) -> str:
    of = {"value": value, "beside_shuffled": [value, value]} | ANCHORS | changes
    return verdict("toy", ENDED, set_claim({"time_distance": of}))


def test_samples_like_real_music_work_and_samples_like_shuffled_columns_do_not() -> None:
    assert ": works, 100% of the way" in said(0.1)
    assert ": no better than real columns in random order" in said(0.81)


def test_samples_that_the_test_tracks_do_not_tell_from_shuffled_columns_show_nothing() -> None:
    line = said(0.4, beside_shuffled=[0.1, 0.8])
    assert ": no difference shown from real columns in random order, 57% of the way" in line
    assert "too little data to judge" in said(0.1, beside_shuffled=None), "a single test track"


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        (0.1, "label_accuracy 0.1 [0.1 to 0.1] (baseline 0.5, ideal 0.9): no better than chance"),
        (0.6, "(baseline 0.5, ideal 0.9): weak, but better than chance, 25% of the way"),
        (0.9, "time_distance 0.3 [0.3 to 0.3] (baseline 0.8"),
    ],
)
def test_music_of_the_wrong_label_fails_however_well_it_moves(accuracy: float, words: str) -> None:
    time = {"value": 0.3, "beside_shuffled": [0.3, 0.3]} | ANCHORS
    interval = [accuracy, accuracy]
    labels = {"value": accuracy, "interval": interval, "chance": 0.5, "floor": 0.9}
    scores = {"time_distance": time, "label_accuracy": labels}
    assert words in verdict("toy", ENDED, set_claim(scores))
    deaf = {**labels, "floor": 0.5}  # not even real clips are told apart
    assert "time_distance" in verdict("toy", ENDED, set_claim({**scores, "label_accuracy": deaf}))


@pytest.mark.parametrize("anchor", ["shuffled", "noise"])
@pytest.mark.parametrize("level", [0.1, 0.05, -0.3])
def test_an_anchor_no_worse_than_real_music_is_too_little_data_to_judge(
    anchor: str, level: float
) -> None:
    """Of three songs real music may lie further from real music than noise does."""
    for value in (-0.5, 0.1, 0.4, 2.0):
        line = said(value, **{anchor: level})
        assert "too little data to judge; next: more test tracks" in line and "works" not in line


@pytest.mark.parametrize(
    ("value", "noise", "words"),
    [
        (0.2, 2.0, "works, 95% of the way from noise with the spectrum of music"),
        (2.5, 2.0, "no better than noise with the spectrum of music, 0% of the way"),
        (2.5, 0.05, "too little data to judge"),
    ],
)
def test_timbre_is_judged_between_noise_and_real_music(
    value: float, noise: float, words: str
) -> None:
    of = {"value": value, "interval": [value, value]} | ANCHORS | {"noise": noise}
    claim = timbre_claim({"kernel_distance": of})
    start = f"kernel_distance {value} [{value} to {value}] (baseline {noise:g}, ideal 0.1): "
    assert claim.words() == start + words
