"""The doctor's finding about bytecode, on a package made for it."""

import py_compile
from pathlib import Path

import pytest

from melodygan.commands.starts import slow_starts

REMEDY = "uv sync --compile-bytecode"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The source of an installed package `notes`, never imported."""
    monkeypatch.syspath_prepend(tmp_path)
    source = tmp_path / "notes/__init__.py"
    source.parent.mkdir()
    source.write_text("A = 440\n")
    return source


def test_a_package_that_is_compiled_at_every_start_is_named_with_the_remedy(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    told = slow_starts(["notes"])
    assert told is not None
    assert told.startswith("notes: compiled") and "PYTHONDONTWRITEBYTECODE" in told
    assert REMEDY in told
    py_compile.compile(str(package))
    assert slow_starts(["notes"]) is None


def test_where_bytecode_is_kept_the_first_start_is_no_trouble(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    assert slow_starts(["notes"]) is None
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    told = slow_starts(["notes"])
    assert told is not None
    assert "read-only" in told and REMEDY in told


def test_a_package_that_is_not_installed_is_another_findings_matter() -> None:
    assert slow_starts(["melodygan_of_mars"]) is None
