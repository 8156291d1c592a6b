"""Signs of a run gone wrong: what stops it, what warns, and what does neither."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodygan.pipeline.errors import UserError
from melodygan.training.guards import passed, require_finite
from melodygan.training.task import Limit

LIMIT = Limit("validation", "perplexity", 2.0, 3, "the codebook has collapsed", "lower toy.lr")


def rows(*values: float | None) -> dict[str, list[dict[str, float]]]:
    """A validation curve; None is a row without the limit's key."""
    columns = [{"perplexity": value} if value else {} for value in values]
    return {"validation": [{"step": float(n)} | of for n, of in enumerate(columns, 1)]}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_named_with_its_step_and_the_remedy(value: float) -> None:
    with pytest.raises(UserError) as caught:
        require_finite({"fine": 1.0, "toy_loss": value}, 70, "toy")
    assert str(caught.value) == (
        f"toy_loss became {value} at step 70: lower toy.lr, or set runtime.precision to fp32"
    )


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_finite_value_is_let_through(values: dict[str, float]) -> None:
    require_finite(values, 1, "toy")


def test_the_warning_says_what_it_means_the_latest_value_its_step_and_what_to_change() -> None:
    assert passed((LIMIT,), rows(1.0, 1.25, 1.5)) == [
        "the codebook has collapsed (perplexity 1.5 is below 2 at step 3): lower toy.lr"
    ]


@pytest.mark.parametrize(
    "values",
    [
        (1.0, 1.0),  # too few rows
        (1.0, 2.0, 1.0),  # the limit itself is not below it
        (1.0, 1.0, 1.0, 3.0),  # recovered
        (1.0, 1.0, None),  # a row without the column does not count
        (1.0, 2.5, 1.0, 1.0),
        (),
    ],
)
def test_only_so_many_rows_in_a_row_count(values: tuple[float | None, ...]) -> None:
    assert passed((LIMIT,), rows(*values)) == []


@given(st.lists(st.none() | st.floats(0.5, 4.0), max_size=8), st.integers(1, 5))
def test_it_warns_exactly_when_the_last_values_of_the_column_are_all_below(
    values: list[float | None], count: int
) -> None:
    limit = Limit("validation", "perplexity", 2.0, count, "", "")
    below = [value < 2.0 for value in [v for v in values if v is not None][-count:]]
    assert bool(passed((limit,), rows(*values))) == (len(below) == count and all(below))


def test_a_curve_that_does_not_exist_yet_is_no_sign() -> None:
    assert passed((LIMIT,), {"train": [{"perplexity": 0.0}] * 5}) == []


def test_each_limit_warns_for_itself() -> None:
    other = Limit("train", "loss", 0.1, 1, "too good", "look at the data")
    curves = rows(1.0, 1.0, 1.0) | {"train": [{"step": 10.0, "loss": 0.01}]}
    assert [warning.split(" (")[0] for warning in passed((LIMIT, other), curves)] == [
        "the codebook has collapsed", "too good"
    ]  # fmt: skip
