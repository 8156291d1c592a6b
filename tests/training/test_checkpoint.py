"""Checkpoints: two are kept, one process writes, nothing in them is executed."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from melodygan.pipeline.errors import UserError
from melodygan.training.checkpoint import Checkpoints


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkpoints]:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with Checkpoints("toy", "fingerprint") as opened:
        yield opened


def test_nothing_saved_is_nothing_loaded(checkpoints: Checkpoints) -> None:
    assert checkpoints.load(1000) is None


def test_the_newest_of_two_is_loaded_and_older_ones_are_gone(checkpoints: Checkpoints) -> None:
    for step in (8, 9, 10, 11):
        checkpoints.save(step, {"step": step, "weights": {"w": torch.full((3,), float(step))}})
    state = checkpoints.load(1000)
    assert state is not None and state["step"] == 11
    assert torch.equal(state["weights"]["w"], torch.full((3,), 11.0))
    kept = sorted(path.name for path in checkpoints.folder.glob("*.pt"))
    assert kept == ["step-000000010.pt", "step-000000011.pt"]


def test_equal_states_are_equal_bytes(checkpoints: Checkpoints) -> None:
    for step in (1, 2):
        checkpoints.save(step, {"w": torch.arange(5.0)})
    first, second = sorted(checkpoints.folder.glob("*.pt"))
    assert first.read_bytes() == second.read_bytes()


def test_they_lie_in_the_main_workspace_outside_all_outputs(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    assert checkpoints.folder == tmp_path / ".cache/checkpoints/toy/fingerprint"


def test_a_second_writer_is_refused_in_one_line_until_the_first_has_gone(
    checkpoints: Checkpoints,
) -> None:
    with (
        pytest.raises(UserError, match=r"another process is training into .*: wait for it"),
        Checkpoints("toy", "fingerprint"),
    ):
        pass
    with Checkpoints("toy", "another fingerprint"):
        pass
    checkpoints.__exit__()
    with Checkpoints("toy", "fingerprint"):
        pass


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


def test_loading_never_runs_code(
    checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Hostile()}, checkpoints.folder / "step-000000001.pt")
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.load(1000)
    assert not Path("executed").exists()


def test_clear_removes_the_folder(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, {"step": 1})
    checkpoints.clear()
    assert not checkpoints.folder.exists()
