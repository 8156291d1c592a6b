"""Each thing that may spoil the training is found, said in words, and no false alarm raised."""

from typing import Any

import pytest

from melodygan.data_report.problems import find_problems


def found(data: Any, rows: list[dict[str, Any]]) -> list[str]:
    """Problems and remedies as lines."""
    return [f"{p.what} {p.remedy}" for p in find_problems(data.facts(rows))]


def test_good_data_have_no_problem(data: Any) -> None:
    quiet = data.row("q", loudness_after_lufs=-28.9)
    rejects = [data.reject("a", "silent"), data.reject("b", "silent")]  # 2 of 9: below a quarter
    assert found(data, [*data.good("jazz", "rock"), quiet, *rejects]) == []


def test_few_tracks_and_missing_splits_are_told_apart(data: Any) -> None:
    pop = [data.row(f"pop-{i}", "pop") for i in range(3)]
    few, test, validation = found(data, [*data.good("jazz"), *pop, data.row("a", "rock")])
    assert few.startswith("Fewer than three tracks: rock.") and "`melodygan lock`" in few
    assert test.startswith("No test track: pop.")
    assert validation.startswith("No validation track: pop.")


@pytest.mark.parametrize(("seconds", "uneven"), [(540, False), (600, True)])
def test_ten_times_the_minutes_is_uneven(data: Any, seconds: int, uneven: bool) -> None:
    jazz = [row | {"samples": 22050 * seconds} for row in data.good("jazz")]
    problems = found(data, [*jazz, *data.good("rock")])
    assert bool(problems) == uneven
    if uneven:
        assert problems[0].startswith("jazz has 30.0 minutes, rock only 3.0.")


def test_many_rejects_name_the_main_reason_and_its_remedy(data: Any) -> None:
    rejects = [
        data.reject("a", "shorter than 3 s after trimming (1.0 s of 2.0 s)"),
        data.reject("b", "shorter than 3 s after trimming (1.5 s of 2.0 s)"),
        data.reject("c", "silent"),
    ]
    (problem,) = found(data, [*data.good("jazz", "rock"), *rejects])
    assert "33% of the tracks" in problem and "2 of 3" in problem
    assert "shorter than 3 s after trimming." in problem and "preprocess.min_seconds" in problem


def test_an_unknown_reason_points_to_the_list(data: Any) -> None:
    rejects = [data.reject(str(i), "struck by lightning") for i in range(9)]
    (problem,) = found(data, [*data.good("jazz", "rock"), *rejects])
    assert "struck by lightning. See the reasons below." in problem


def test_quiet_tracks_are_named_with_a_target_that_all_can_reach(data: Any) -> None:
    quiet = [data.row(f"q{i}", loudness_after_lufs=-30.0 - i) for i in range(7)]
    (problem,) = found(data, [*data.good("jazz", "rock"), *quiet])
    assert "q0, q1, q2, q3, q4 and 2 more." in problem
    assert "`preprocess.loudness_lufs` towards -36" in problem


def test_heavy_trimming_and_a_single_label(data: Any) -> None:
    cut = [row | {"seconds_before": 130.0} for row in data.good("jazz")[:1]]
    single, trimmed = found(data, [*cut, *data.good("jazz")[1:]])
    assert single.startswith("There is only one label: jazz.")
    assert "more than half of: jazz-0." in trimmed and "preprocess.silence_db" in trimmed
