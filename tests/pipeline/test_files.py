"""Files and folders: whole or not at all, equal values in equal bytes, any title survives."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import (
    atomic_dir,
    digest,
    read_json,
    read_rows,
    sha256_file,
    write_atomic,
    write_json,
    write_rows,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with atomic_dir(target) as folder:
        (folder / "old").write_text("1")
    with atomic_dir(target) as folder:
        assert list(folder.iterdir()) == []
        assert names(target) == ["old"], "the old one stands until the new one is whole"
        (folder / "new").write_text("2")
    assert names(target) == ["new"]
    assert names(target.parent) == ["out"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    with atomic_dir(tmp_path / "out") as folder:
        (folder / "old").write_text("1")
    with pytest.raises(failure), atomic_dir(tmp_path / "out") as folder:
        (folder / "half").write_text("2")
        raise failure
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old"]


def test_leftovers_of_a_killed_run_are_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "out.tmp").mkdir()
    (tmp_path / "out.tmp" / "stale").write_text("0")
    with atomic_dir(tmp_path / "out") as folder:
        (folder / "new").write_text("1")
    assert names(tmp_path / "out") == ["new"]


def test_a_file_is_replaced_in_one_go_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b", b"one")
    write_atomic(tmp_path / "a" / "b", b"two")
    assert (tmp_path / "a" / "b").read_bytes() == b"two"
    assert names(tmp_path / "a") == ["b"]


def test_equal_values_are_equal_bytes_of_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": {"d": 0.1, "c": "ä"}})
    write_json(tmp_path / "b", {"a": {"c": "ä", "d": 0.1}, "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_json(tmp_path / "a") == {"a": {"c": "ä", "d": 0.1}, "b": 1}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_json_is_refused_and_the_old_file_stays(tmp_path: Path, value: float) -> None:
    write_json(tmp_path / "m", {"loss": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "m", {"loss": value})
    with pytest.raises(ValueError, match="JSON"):
        write_rows(tmp_path / "m", [{"loss": value}])
    assert read_json(tmp_path / "m") == {"loss": 1.0}


@pytest.mark.parametrize("read", [read_json, read_rows])
@pytest.mark.parametrize("content", [b"{", b'{"a": 1}\n{"b"', b"\xff\xfe\x00"])
def test_a_broken_file_is_one_line_with_its_name(tmp_path: Path, read: Any, content: bytes) -> None:
    path = tmp_path / "index.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read(path)
    assert str(path) in str(error.value) and len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("read", [read_json, read_rows])
def test_a_missing_file_says_what_makes_it(tmp_path: Path, read: Any) -> None:
    with pytest.raises(UserError, match="index is missing: run `dvc repro`"):
        read(tmp_path / "index")


TITLE = st.text() | st.sampled_from(
    ["a\u2028b", "a\x85b", "a\r\nb", "\x1c\x1d\x0b", "\ufeffx", '"\\']
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(TITLE, TITLE | st.integers() | st.none(), min_size=1), max_size=4))
def test_any_table_comes_back_as_it_was(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    write_rows(tmp_path / "index.jsonl", rows)
    assert read_rows(tmp_path / "index.jsonl") == rows


def test_rows_have_sorted_keys(tmp_path: Path) -> None:
    write_rows(tmp_path / "index.jsonl", [{"b": 1, "a": 2}])
    assert (tmp_path / "index.jsonl").read_text() == '{"a": 2, "b": 1}\n'


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=5))
def test_a_digest_depends_on_the_value_and_not_on_its_order(value: dict[str, Any]) -> None:
    backwards = dict(reversed(value.items()))
    assert digest(value) == digest(backwards)
    assert digest(value) != digest(value | {"one more": 1} if "one more" not in value else {})


def test_a_files_hash_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "f") == known
