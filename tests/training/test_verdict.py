"""The last line of a stage: where the score lies between baseline and ideal, and what to do."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodygan.training.task import Outcome
from melodygan.training.verdict import verdict

ENDED = {
    "steps": 100, "best_step": 60, "best_score": 1.0, "reason": "", "improving": False,
    "warnings": (),
}  # fmt: skip


def line(value: float, baseline: float = 2.0, ideal: float = 0.0, **changes: object) -> str:
    return verdict("toy", Outcome(**(ENDED | changes)), "error", value, baseline, ideal)


@pytest.mark.parametrize(
    ("value", "word", "share"),
    [
        (0.0, "works", "100%"),
        (1.0, "works", "50%"),
        (1.02, "weak", "49%"),
        (1.8, "weak", "10%"),
        (1.92, "no better than the baseline", "4%"),
        (2.0, "no better than the baseline", "0%"),
        (5.0, "no better than the baseline", "0%"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_word_says_how_much_of_the_way_is_done_whichever_way_is_better(
    value: float, word: str, share: str, sign: int
) -> None:
    said = line(sign * value + 0.0, sign * 2.0)  # + 0.0: no minus zero
    start = f"toy: error {sign * value + 0.0:.4g} (baseline {sign * 2}, ideal 0): "
    assert said.startswith(f"{start}{word}, {share} of the way; next: ")


def test_where_the_baseline_is_ideal_nothing_can_be_better() -> None:
    assert "no better than the baseline, 0% of the way" in line(0.0, baseline=0.0)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_it_is_one_line_and_the_unit_of_the_score_does_not_matter(
    value: float, baseline: float, ideal: float, unit: float
) -> None:
    said = line(value, baseline, ideal)
    assert re.fullmatch(r"toy: .*: (works|weak|no better than the baseline), \d+% .*", said)
    if abs(baseline - ideal) > 1e-6:
        reached = (baseline - value) / (baseline - ideal)
        if min(abs(reached - 0.5), abs(reached - 0.05)) > 1e-6:
            words = {each.split("): ")[1].split(",")[0] for each in (
                said, line(value * unit, baseline * unit, ideal * unit)
            )}  # fmt: skip
            assert len(words) == 1


CUT = "max_minutes (5) reached"


@pytest.mark.parametrize(
    ("value", "changes", "advice"),
    [
        (1.0, {"warnings": ("a: do b", "c: do d"), "reason": CUT, "improving": True}, "c: do d"),
        (1.0, {"reason": CUT, "improving": True}, "raise toy.max_minutes, the run was cut short"),
        (1.0, {"improving": True}, "raise toy.steps, the score was still improving"),
        (1.95, {"improving": True}, "raise toy.steps, the score was still improving"),
        (1.95, {}, "change toy.lr by a factor of 3, or look at metrics/data.html for bad data"),
        (1.0, {}, "more data or a larger model, the score has stood still since step 60"),
        (1.0, {"reason": "stopped early"}, "more data or a larger model, the score has stood "
         "still since step 60"),
    ],
)  # fmt: skip
def test_the_advice_fits_how_the_run_ended(
    value: float, changes: dict[str, object], advice: str
) -> None:
    assert line(value, **changes).endswith(f"; next: {advice}")
