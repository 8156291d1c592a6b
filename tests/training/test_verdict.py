"""The last line of a stage: where the score lies between baseline and ideal, and what to do."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodygan.training.verdict import Claim, Outcome, differ, verdict

ENDED: dict[str, Any] = {
    "steps": 100, "best_step": 90, "best_score": 1.0, "reason": "", "validations": 5,
    "improving": False, "warnings": (),
}  # fmt: skip


def line(value: float, baseline: float = 2.0, ideal: float = 0.0, **changes: Any) -> str:
    """Of a value that is known exactly, unless an interval is given."""
    claim = {key: changes.pop(key) for key in list(changes) if key not in ENDED}
    return verdict(
        "toy",
        Outcome(**(ENDED | changes)),
        Claim(
            "error", value, baseline, "guessing", ideal, **({"interval": (value, value)} | claim)
        ),
    )


@pytest.mark.parametrize(
    ("value", "word", "share"),
    [
        (0.0, "works", "100%"),
        (1.0, "works", "50%"),
        (1.02, "weak, but better than guessing", "49%"),
        (1.8, "weak, but better than guessing", "10%"),
        (1.92, "weak, but better than guessing", "4%"),
        (2.0, "no difference shown from guessing", "0%"),
        (2.1, "no better than guessing", "0%"),
        (5.0, "no better than guessing", "0%"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_word_says_how_much_of_the_way_is_done_whichever_way_is_better(
    value: float, word: str, share: str, sign: int
) -> None:
    value = sign * value + 0.0  # + 0.0: no minus zero
    said = line(value, sign * 2.0, higher=sign < 0)
    start = f"toy: error {value:.4g} [{value:.4g} to {value:.4g}] (baseline {sign * 2}, ideal 0): "
    way = f"{share} of the way" + " from guessing" * (word == "works")
    assert said.startswith(f"{start}{word}, {way}; next: ")


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0, 3.0])
def test_a_single_test_track_judges_nothing_however_good_the_figure(value: float) -> None:
    said = line(value, interval=None)
    assert said.endswith(": too little data to judge; next: more test tracks")


@pytest.mark.parametrize(
    ("baseline", "ideal", "higher"), [(0, 0, False), (1, 2, False), (2, 1, True)]
)
def test_anchors_that_are_the_wrong_way_round_judge_nothing(
    baseline: float, ideal: float, higher: bool
) -> None:
    """With too few tracks, real music can lie further from real music than noise does."""
    for value in (-1.0, 0.5, 1.0, 1.5, 3.0):
        said = line(value, baseline, ideal, higher=higher)
        assert "too little data to judge; next: more test tracks" in said
        assert "works" not in said


def test_a_score_that_is_not_judgeable_judges_nothing_however_good_the_figure() -> None:
    for value in (-1.0, 0.0, 1.0, 3.0):
        said = line(value, judgeable=False)
        assert "too little data to judge" in said and "works" not in said
    assert "works" in line(0.0, judgeable=True)


@pytest.mark.parametrize(
    ("interval", "of_baseline", "unclear"),
    [
        ((0.5, 1.5), None, False),
        ((0.5, 2.0), None, True),
        ((0.5, 1.5), (1.4, 2.5), True),
        ((0.5, 1.3), (1.4, 2.5), False),
    ],
)
def test_intervals_that_overlap_show_no_difference(
    interval: tuple[float, float], of_baseline: tuple[float, float] | None, unclear: bool
) -> None:
    assert differ(interval, of_baseline or (2.0, 2.0)) != unclear
    said = line(1.0, interval=interval, baseline_interval=of_baseline)
    assert ("no difference shown from guessing" in said) == unclear
    assert ("works" in said) != unclear
    assert f"[{interval[0]:g} to {interval[1]:g}]" in said


def test_two_scores_differ_only_where_intervals_do_not_overlap() -> None:
    assert differ((0.1, 0.2), (0.3, 0.4)) and differ((0.3, 0.4), (0.1, 0.2))
    assert not differ((0.1, 0.3), (0.3, 0.4))
    assert not differ((0.1, 0.9), (0.3, 0.4))
    assert not differ(None, (0.3, 0.4)) and not differ((0.3, 0.4), None), "unknown"


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_it_is_one_line_and_the_unit_of_the_score_does_not_matter(
    value: float, baseline: float, ideal: float, unit: float
) -> None:
    said = line(value, baseline, ideal)
    judged = "works|weak, but better than guessing|no better than guessing|no difference .*"
    words = rf"({judged}), \d+% .*|too little data to judge; .*"
    assert re.fullmatch(rf"toy: .*: ({words})", said)
    if baseline - ideal > 1e-6:
        reached = (baseline - value) / (baseline - ideal)
        if min(abs(reached - 0.5), abs(reached)) > 1e-6:
            words = {each.split("): ")[1].split(",")[0] for each in (
                said, line(value * unit, baseline * unit, ideal * unit)
            )}  # fmt: skip
            assert len(words) == 1


CUT = "max_minutes (5) reached"


WIDE = {"interval": (0.0, 3.0)}  # holds the baseline
NEW_RATE = "change toy.lr by a factor of 3, or look at metrics/data.html for bad data"
MORE_TRACKS = "more test tracks, the interval is too wide to tell"


@pytest.mark.parametrize(
    ("value", "changes", "advice"),
    [
        (1.0, {"warnings": ("a: do b", "c: do d"), "reason": CUT, "improving": True}, "c: do d"),
        (1.0, {"reason": CUT, "improving": True}, "raise toy.max_minutes, the run was cut short"),
        (1.0, {"improving": True}, "raise toy.steps, the score was still improving"),
        (1.95, {"improving": True}, "raise toy.steps, the score was still improving"),
        (2.2, {"improving": True}, "raise toy.steps, the score was still improving"),
        (2.2, {}, NEW_RATE),
        (1.95, {**WIDE}, NEW_RATE),
        (1.95, {}, "more data or a larger model"),  # little, but shown: it has learnt
        (0.5, {**WIDE, "improving": True}, MORE_TRACKS),
        (1.5, {**WIDE, "improving": True}, "raise toy.steps, the score was still improving"),
        (1.5, {**WIDE}, MORE_TRACKS),
        (1.0, {}, "more data or a larger model"),
        (1.0, {"best_step": 60}, "more data, a smaller model or fewer steps: it was best at step "
         "60 of 100"),
        (1.95, {"best_step": 60}, "more data, a smaller model or fewer steps: it was best at step "
         "60 of 100"),
        (1.0, {"validations": 1}, "lower toy.validate_every, to see whether it was still "
         "improving"),
    ],
)  # fmt: skip
def test_the_advice_fits_how_the_run_ended(
    value: float, changes: dict[str, Any], advice: str
) -> None:
    assert line(value, **changes).endswith(f"; next: {advice}")


def test_advice_names_the_group_that_the_settings_stand_in() -> None:
    claim = Claim("error", 1.0, 2.0, "guessing", interval=(1.0, 1.0))
    said = verdict("toy", Outcome(**(ENDED | {"improving": True})), claim, settings="toy.big")
    assert said.startswith("toy: ") and "raise toy.big.steps, " in said


@pytest.mark.parametrize(
    ("other", "refuted"),
    [
        (Claim("timbre", 3.0, 2.0, "noise", interval=(3.0, 3.0)), True),
        (Claim("timbre", 1.0, 2.0, "noise", interval=(0.5, 2.1)), True),
        (Claim("timbre", 1.0, 2.0, "noise", interval=(0.5, 1.9)), False),
        (Claim("timbre", 3.0, 2.0, "noise", interval=(3.0, 3.0), judgeable=False), False),
        (Claim("timbre", 3.0, 2.0, "noise", interval=None), False),
    ],
)
def test_what_does_worse_than_noise_in_another_score_is_not_said_to_work(
    other: Claim, refuted: bool
) -> None:
    claim = Claim("error", 0.1, 2.0, "guessing", interval=(0.1, 0.1))
    said = verdict("toy", Outcome(**ENDED), claim, (other,))
    assert ("works" in said) != refuted
    start = (
        "toy: error 0.1 [0.1 to 0.1] (baseline 2, ideal 0): no better than noise by timbre; "
        "next: change "
    )
    assert said.startswith(start) == refuted
    assert "works" not in other.words() or not refuted
