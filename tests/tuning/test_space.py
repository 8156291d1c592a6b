"""tune.yaml: what is shipped, what is refused, and what a stage has of which it says nothing."""

from pathlib import Path
from typing import Any

import fake
import pytest
import yaml
from tasks import TASKS

from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import read_params
from melodygan.tuning.setting import kind_of
from melodygan.tuning.space import Between, OneOf, read_space, replaced, rounded
from melodygan.tuning.stages import task_of, training_stages

PARAMS = read_params(fake.ROOT / "params.yaml")
SHIPPED = fake.ROOT / "tune.yaml"


def test_every_training_stage_has_a_shipped_space_and_its_task_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(fake.ROOT)
    assert set(training_stages()) == set(TASKS) == set(read_params(SHIPPED))
    for stage, task in TASKS.items():
        assert task_of(stage) is task
        kind = kind_of(task, PARAMS[stage], stage, {})
        space = read_space(stage, task.params_type, PARAMS[stage], kind, SHIPPED)
        assert not space.default and space.searched


def test_a_stage_that_trains_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fake.ROOT)
    with pytest.raises(UserError, match="stage features trains nothing"):
        task_of("features")
    with pytest.raises(UserError, match="no stage `vqva`"):
        task_of("vqva")


def read(tmp_path: Path, text: str, stage: str = "vqvae", kind: Any = VQVAEParams) -> Any:
    (tmp_path / "tune.yaml").write_text(text)
    return read_space(stage, kind, PARAMS[stage], "", tmp_path / "tune.yaml")


def test_all_forms_are_read(tmp_path: Path) -> None:
    text = (
        "vqvae:\n  steps: 100\n  lr: {log: [1e-4, 0.01]}\n  residual_blocks: {int: [1, 4]}\n"
        "  commitment: {float: [0, 1]}\n  codebook_size: [128, 256]\n"
    )
    space = read(tmp_path, text)
    assert space.fixed == {"steps": 100}
    assert space.searched == {
        "lr": Between(1e-4, 0.01, log=True),
        "residual_blocks": Between(1, 4),
        "commitment": Between(0.0, 1.0),
        "codebook_size": OneOf((128, 256)),
    }
    assert space.searched["residual_blocks"].whole
    assert not space.searched["commitment"].whole, "whole ends do not make the numbers whole"


def test_groups_within_a_group_are_read_and_taken_by_kind(tmp_path: Path) -> None:
    text = "vocoder:\n  magnet:\n    lr: {log: [1e-4, 0.01]}\n  vocos:\n    blocks: {int: [1, 4]}\n"
    space = read(tmp_path, text, "vocoder", VocoderParams)
    assert space.of("") == {}
    assert list(space.of("magnet")) == ["magnet.lr"]
    assert list(space.of("vocos")) == ["vocos.blocks"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chanels: [8, 16]", "unknown key vqvae.chanels (did you mean `channels`?)"),
        ("lr: [0.1, fast]", "vqvae.lr must be a number, not 'fast'"),
        ("lr: {log: [-1.0, 1.0]}", "vqvae.lr.log must go above 0 from low to high"),
        ("lr: {log: [0.1, 0.01]}", "vqvae.lr.log must go above 0 from low to high"),
        ("lr: {float: [-1, 1]}", "vqvae.lr must be greater than 0, not -1.0"),
        ("residual_blocks: {int: [-1, 4]}", "vqvae.residual_blocks must be at least 0"),
        ("residual_blocks: {int: [0.5, 4]}", "vqvae.residual_blocks.int must be two whole"),
        ("residual_blocks: {float: [1, 4]}", "vqvae.residual_blocks must be a whole number"),
        ("codebook_size: [128]", "vqvae.codebook_size must list at least two different"),
        ("codebook_size: [128, 128]", "vqvae.codebook_size must list at least two different"),
        ("codebook_size: {step: [1, 2]}", "vqvae.codebook_size must be a list, or one of log"),
        ("lr: {log: [1e-4]}", "vqvae.lr.log must be two numbers"),
        ("steps: none", "vqvae.steps must be a whole number"),
        ("steps: 100", "vqvae has nothing to search"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_its_full_path(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path, f"vqvae:\n  {text}\n")
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1
    assert str(error.value).startswith(f"{tmp_path}/tune.yaml: ")


def test_a_stage_without_a_group_is_searched_for_rate_and_batch_size(tmp_path: Path) -> None:
    space = read(tmp_path, "others: {}")
    assert space.default
    assert space.searched == {
        "lr": Between(1e-4, 1e-2, log=True), "batch_size": OneOf((2, 4, 8)),
    }  # fmt: skip


def test_values_are_put_where_their_paths_say_and_nowhere_else() -> None:
    before = yaml.safe_dump(PARAMS["vocoder"])
    changed = replaced(PARAMS["vocoder"], {"magnet.lr": 0.5, "kind": "vocos"})
    assert (changed["magnet"]["lr"], changed["kind"]) == (0.5, "vocos")
    assert changed["vocos"] == PARAMS["vocoder"]["vocos"]
    assert yaml.safe_dump(PARAMS["vocoder"]) == before


def test_numbers_are_rounded_so_that_they_can_be_written() -> None:
    assert rounded(0.00123456) == 0.00123
    assert [rounded(value) for value in (1234567, True, "a")] == [1234567, True, "a"]
