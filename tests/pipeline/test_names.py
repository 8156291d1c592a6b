"""Labels and titles from outside: one line to read, one harmless name in a folder, text for DVC."""

import unicodedata
from pathlib import Path

import pytest
from dvc_data.hashfile.istextfile import istextblock
from hypothesis import given
from hypothesis import strategies as st

from melodygan.pipeline.files import read_json, write_json
from melodygan.pipeline.names import clean, file_name

HOSTILE = (
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "",
    "~",
    "$HOME",
    "%s",
    "a\nb",
    "-rf",
)


@pytest.mark.parametrize("label", ["jazz", "Rock_2", "lo-fi", "x" * 40])
def test_plain_labels_are_their_own_file_names(label: str) -> None:
    assert file_name(label) == label


@pytest.mark.parametrize("label", [*HOSTILE, "\0", "x" * 5000, "Камерная музыка", "日本", "\udcff"])
def test_a_file_name_is_short_plain_ascii(label: str) -> None:
    name = file_name(label)
    assert name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    assert name[0] not in "-." and len(name) <= 69
    assert Path(name).name == name


@given(st.lists(st.text(max_size=50), min_size=2, max_size=20, unique=True))
def test_different_labels_have_different_file_names(labels: list[str]) -> None:
    assert len({file_name(label) for label in labels}) == len(labels)


def test_both_of_unicodes_forms_of_a_name_are_one() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Café Übung") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert clean(composed) == clean(decomposed) == composed


@pytest.mark.parametrize("label", ["Камерная инструментальная", "日本の音楽" * 10, "🎵" * 80])
def test_dvc_takes_a_metrics_file_with_any_labels_for_text(tmp_path: Path, label: str) -> None:
    value = {"labels": {label: {"train": 1}}, "rejects": [{"file": label, "reason": "silent"}]}
    write_json(tmp_path / "metrics.json", value)
    assert istextblock((tmp_path / "metrics.json").read_bytes()[:512])
    assert read_json(tmp_path / "metrics.json") == value
