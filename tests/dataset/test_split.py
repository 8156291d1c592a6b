"""Splits: a function of the ordinal alone, close to the fractions asked for."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.dataset.split import SPLITS, split_of, splits_of

fractions = st.tuples(st.floats(0.01, 0.45), st.floats(0.01, 0.45))


@settings(deadline=None)
@given(fractions)
def test_the_first_three_tracks_of_a_label_have_all_splits(pair: tuple[float, float]) -> None:
    assert [split_of(i, *pair) for i in range(3)] == ["train", "test", "validation"]


@settings(deadline=None)
@given(fractions, st.integers(10, 3000))
def test_fractions_are_met_to_within_three_tracks(pair: tuple[float, float], tracks: int) -> None:
    validation, test = pair
    counts = Counter(split_of(i, validation, test) for i in range(tracks))
    wanted = {"train": 1 - validation - test, "validation": validation, "test": test}
    for split, fraction in wanted.items():
        assert abs(counts[split] - fraction * tracks) <= 3


@settings(deadline=None)
@given(fractions, st.lists(st.integers(0, 2000), min_size=1, max_size=20))
def test_the_split_does_not_depend_on_what_was_asked_before(
    pair: tuple[float, float], ordinals: list[int]
) -> None:
    asked = [split_of(i, *pair) for i in ordinals]
    again = [split_of(i, *pair) for i in reversed(ordinals)]
    assert asked == again[::-1]
    assert set(asked) <= set(SPLITS)


def test_later_tracks_go_where_most_is_missing() -> None:
    # the eighth: train has 5 of 8 * 0.65 = 5.2, test 1 of 1.6, validation 1 of 1.2
    expected = ["train", "test", "validation", "train", "train", "train", "train", "test"]
    assert [split_of(i, 0.15, 0.2) for i in range(8)] == expected


def test_a_hundred_thousandth_track_has_a_split() -> None:
    counts = Counter(split_of(i, 0.15, 0.2) for i in range(100_001))
    assert counts["test"] == pytest.approx(20_000, abs=2)


ordinals = st.lists(st.integers(0, 300), min_size=3, max_size=30, unique=True)


def named(numbers: list[int]) -> dict[str, int]:
    return {f"track-{number}": number for number in numbers}


@settings(deadline=None)
@given(fractions, ordinals)
def test_any_three_usable_tracks_have_all_splits(
    pair: tuple[float, float], numbers: list[int]
) -> None:
    assert set(splits_of(named(numbers), *pair).values()) == set(SPLITS)


@settings(deadline=None)
@given(fractions, ordinals, st.integers(301, 2000))
def test_a_later_track_moves_no_other(
    pair: tuple[float, float], numbers: list[int], later: int
) -> None:
    before = splits_of(named(numbers), *pair)
    after = splits_of(named([*numbers, later]), *pair)
    assert {track: after[track] for track in before} == before


def test_only_the_first_three_can_differ_from_their_ordinals() -> None:
    numbers = [12, 13, 14, 15, 16, 17]  # as a label has them that the demo has numbered before
    found = splits_of(named(numbers), 0.15, 0.2)
    assert sorted(found[f"track-{n}"] for n in (12, 13, 14)) == sorted(SPLITS)
    for number in numbers[3:]:
        assert found[f"track-{number}"] == split_of(number, 0.15, 0.2)
    assert splits_of(named([*range(40)]), 0.15, 0.2) == {
        f"track-{n}": split_of(n, 0.15, 0.2) for n in range(40)
    }
