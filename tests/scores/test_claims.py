"""What the verdict on invented sound is given, and when it must not judge."""

from typing import Any

import pytest

from melodygan.scores.claims import set_claim, timbre_claim
from melodygan.training.verdict import Outcome, verdict

ANCHORS = {"floor": 0.1, "shuffled": 0.8, "noise": 0.9}
ENDED = Outcome(2, 2, 1.0, "", 2, improving=False, warnings=())


def said(value: float, **changes: Any) -> str:
    of = {"value": value, "interval": None, "shuffled_interval": None} | ANCHORS | changes
    return verdict("toy", ENDED, set_claim({"time_distance": of}))


def test_samples_like_real_music_work_and_samples_like_shuffled_columns_do_not() -> None:
    assert ": works, 100% of the way" in said(0.1)
    assert ": no better than real columns in random order" in said(0.8)


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
    of = {"value": value, "interval": None} | ANCHORS | {"noise": noise}
    claim = timbre_claim({"kernel_distance": of})
    assert claim.words() == f"kernel_distance {value} (baseline {noise:g}, ideal 0.1): {words}"
