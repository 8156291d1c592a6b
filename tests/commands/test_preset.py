"""`melodygan preset`, on the repository's own params.yaml and presets."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from melodygan.commands.groups import check_params
from melodygan.commands.preset import apply_preset
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import read_params

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "presets"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


def test_the_repositorys_params_parse_into_all_dataclasses(params: Path) -> None:
    check_params(params)


def contains(table: Any, part: Any) -> bool:
    """Whether every value of the nested `part` stands in `table`."""
    if isinstance(part, dict):
        return all(contains(table[key], value) for key, value in part.items())
    return bool(table == part)


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_every_preset_gives_params_that_all_stages_accept(params: Path, name: str) -> None:
    assert apply_preset(name, PRESETS, params)
    check_params(params)
    merged = read_params(params)
    assert contains(merged, read_params(PRESETS / f"{name}.yaml"))
    assert apply_preset(name, PRESETS, params) == []


def test_only_the_lines_of_changed_values_change_and_comments_stay(params: Path) -> None:
    before = params.read_text().splitlines()
    changes = apply_preset("full", PRESETS, params)
    after = params.read_text().splitlines()
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == len(changes)
    assert "cyclegan.width: 16 -> 64" in changes
    comments = [[line.partition("#")[2] for line in lines] for lines in (before, after)]
    assert comments[0] == comments[1]


def test_presets_combine(params: Path) -> None:
    apply_preset("full", PRESETS, params)
    apply_preset("hifigan", PRESETS, params)
    merged = read_params(params)
    assert merged["audio"]["n_mels"] == 80
    assert merged["cyclegan"]["width"] == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vqvae:\n  chanels: 8\n", "vqvae.chanels: did you mean vqvae.channels?"),
        ("vqva:\n  channels: 8\n", "did you mean vqvae?"),
        ("vqvae: 8\n", "vqvae is a group in one file"),
        ("vqvae:\n  channels: wide\n", "vqvae.channels must be a whole number"),
        ("vqvae:\n  frames: 12\n", "must be a multiple of"),
        ("vqvae: [\n", "not valid YAML"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused_and_changes_nothing(
    tmp_path: Path, params: Path, text: str, message: str
) -> None:
    before = params.read_bytes()
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        apply_preset("odd", tmp_path, params)
    assert params.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["odd.yaml", "params.yaml"]


def test_an_unknown_preset_is_refused_with_the_known_ones(params: Path) -> None:
    with pytest.raises(UserError, match=r"no preset `huge` .*known: cyclegan-paper, full, hifigan"):
        apply_preset("huge", PRESETS, params)
