"""Checkpoints: two are kept, one process writes, only our own are read, nothing is executed."""

import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
    checkpoints.save(1, {"step": Hostile()})  # so that it carries the run's seal
    assert checkpoints.load(1000) is None
    assert not Path("executed").exists()


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Load a checkpoint, change it, and save it as anybody else would."""
    state = torch.load(path, weights_only=True)
    with path.open("wb") as file:
        torch.save(change(state), file)


def other_run(path: Path) -> None:
    with Checkpoints("toy", "another fingerprint") as other:
        other.save(2, {"step": 2, "w": torch.ones(1)})
        shutil.copy(other.folder / path.name, path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "other keys": lambda path: rewrite(path, lambda state: {"step": 2, "x": 1}),
    "other shapes": lambda path: rewrite(path, lambda state: state | {"w": torch.ones(7)}),
    "not a dictionary": lambda path: rewrite(path, lambda state: [state]),
    "the same, saved by another hand": lambda path: rewrite(path, lambda state: state),
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"step": 2})),
    "a pickle that runs code": lambda path: path.write_bytes(pickle.dumps(Hostile())),
    "of another run": other_run,
    "of another step": lambda path: shutil.copy(path.with_name("step-000000001.pt"), path),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "a folder": folder,
}


@pytest.mark.parametrize("how", FOREIGN)
def test_what_this_run_did_not_write_is_left_for_the_older_one_with_a_line(
    checkpoints: Checkpoints,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, {"step": step, "w": torch.ones(3)})
    FOREIGN[how](checkpoints.folder / "step-000000002.pt")
    state = checkpoints.load(1000)
    assert state is not None and state["step"] == 1
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "step-000000002.pt is not usable" in said
    checkpoints.save(2, {"step": 2})
    assert checkpoints.load(1000) == {"step": 2}, "and it can be written anew"


def test_files_with_other_names_are_not_checkpoints(checkpoints: Checkpoints) -> None:
    for name in ("step-last.pt", "step-1.pt", "step-0000000099.pt", "step-000000009.pt.bak"):
        (checkpoints.folder / name).write_bytes(b"x")
    checkpoints.save(3, {"step": 3})
    assert checkpoints.load(1000) == {"step": 3}


def finished(name: str) -> Checkpoints:
    with Checkpoints("toy", name) as run:
        for step in (1, 2):
            run.save(step, {"step": step})
        run.retire()
    return run


def test_a_finished_run_keeps_its_last_checkpoint_and_what_it_showed(
    checkpoints: Checkpoints,
) -> None:
    (checkpoints.folder / "samples").mkdir()
    for step in (1, 2):
        checkpoints.save(step, {"step": step})
    checkpoints.retire()
    assert checkpoints.load(1000) == {"step": 2}
    names = sorted(path.name for path in checkpoints.folder.iterdir())
    assert names == ["finished", "lock", "samples", "step-000000002.pt"]
    checkpoints.save(3, {"step": 3})
    assert not (checkpoints.folder / "finished").exists(), "it has been taken up again"


def test_of_a_stages_finished_runs_the_newest_two_stay_and_of_unfinished_ones_all(
    checkpoints: Checkpoints,
) -> None:
    checkpoints.save(1, {"step": 1})
    runs = [finished(name) for name in ("a", "b", "c")]
    assert [run.folder.exists() for run in runs] == [False, True, True]
    assert checkpoints.folder.exists()
    with Checkpoints("toy", "b"):
        finished("d")
        finished("e")
        assert runs[1].folder.exists(), "one that a process works in stays"


def test_a_clock_that_is_set_back_takes_no_finished_run_away(checkpoints: Checkpoints) -> None:
    """What has just succeeded may still have to be recorded by DVC."""
    for name in ("a", "b"):
        mark = finished(name).folder / "finished"
        os.utime(mark, (4e9, 4e9))  # of the year 2096
    assert finished("c").folder.exists()
    runs = list(checkpoints.folder.parent.glob("*/finished"))
    assert len(runs) == 2
