"""DVCLive and TensorBoard show a run while it goes on, and change nothing else."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime
from melodygan.training.curves import Curves, sinks

Workspace = Any


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@t")
    done = subprocess.run(
        ["git", *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def repository(workspace: Workspace) -> Workspace:
    """The workspace under git and dvc, with DVCLive on and all committed."""
    from dvc.repo import Repo

    workspace.set("dvclive: false", "dvclive: true")
    (workspace.folder / "live").mkdir()
    (workspace.folder / "live/.gitignore").write_text("*\n!.gitignore\n")
    (workspace.folder / ".gitignore").write_text("/metrics\n/.cache\n")
    git("init", "-q")
    Repo.init(".").close()
    git("add", "-A")
    git("commit", "-qm", "start")
    return workspace


@pytest.mark.parametrize("command", ["repro", "exp run"])
def test_dvclive_shows_the_latest_rows_and_leaves_the_repository_alone(
    repository: Workspace, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(repository.folder))
    if command == "exp run":
        monkeypatch.setenv("DVC_EXP_BASELINE_REV", git("rev-parse", "HEAD").strip())
    before = git("for-each-ref")
    curves = Curves(Path("metrics/toy"), sinks=sinks("toy", Runtime.read(), False))
    shown = []
    for step in (10, 20):
        curves.add("train", step, {"loss": 1 / step})
        curves.add("validation", step, {"error": 2 / step})
        shown.append(json.loads(Path("live/toy/metrics.json").read_text()))
    curves.close()
    assert shown == [
        {"step": step, "train": {"loss": 1 / step}, "validation": {"error": 2 / step}}
        for step in (10, 20)
    ]
    assert [path.name for path in Path("live/toy").iterdir()] == ["metrics.json"]
    assert git("status", "--porcelain") == "", "dvc.yaml or the index was changed"
    assert git("for-each-ref") == before, "an experiment or a commit was made"


def test_what_a_kill_left_of_the_live_file_does_not_stop_the_resumed_run(
    workspace: Workspace,
) -> None:
    workspace.set("dvclive: false", "dvclive: true")
    Path("live/toy").mkdir(parents=True)
    Path("live/toy/metrics.json").write_text('{"step": 1')
    workspace.interrupt("line", 25)
    workspace.train("line")
    assert json.loads(Path("live/toy/metrics.json").read_text())["step"] == 40


@pytest.mark.parametrize("sink", ["dvclive", "tensorboard"])
def test_a_run_leaves_the_same_bytes_with_and_without(
    make_workspace: Callable[[str], Workspace], sink: str
) -> None:
    results = []
    for setting in ("false", "true"):
        space = make_workspace(setting)
        space.set(f"{sink}: false", f"{sink}: {setting}")
        results.append(space.result(space.train("pair")))
        assert len([*Path("live").rglob("*.json"), *events()]) == (setting == "true")
    assert results[0] == results[1]


def events() -> list[Path]:
    return sorted(Path(".cache/tensorboard/toy").glob("events.out.tfevents.*"))


def scalars() -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard would draw."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(".cache/tensorboard/toy").Reload()
    return {tag: [(e.step, e.value) for e in shown.Scalars(tag)] for tag in shown.Tags()["scalars"]}


def test_tensorboard_draws_the_rows_of_the_latest_run(workspace: Workspace) -> None:
    workspace.set("tensorboard: false", "tensorboard: true")
    workspace.train("line", steps=80)
    workspace.train("line", lr=0.1)
    drawn = scalars()
    for curve, tag in (("train", "line_loss"), ("validation", "error")):
        rows = [(int(row["step"]), row[tag]) for row in workspace.curve(curve)]
        assert [step for step, _ in drawn[f"{curve}/{tag}"]] == [10, 20, 30, 40]
        assert drawn[f"{curve}/{tag}"] == [(s, pytest.approx(v, rel=1e-5)) for s, v in rows]


def test_tensorboard_keeps_what_was_drawn_before_a_resume(workspace: Workspace) -> None:
    workspace.set("tensorboard: false", "tensorboard: true")
    workspace.interrupt("line", 20)
    workspace.train("line")
    assert [step for step, _ in scalars()["train/line_loss"]] == [10, 20, 30, 40]


def test_without_its_package_tensorboard_is_refused_in_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.set("tensorboard: false", "tensorboard: true")
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"^runtime\.tensorboard needs its package: `uv sync"):
        sinks("toy", Runtime.read(), False)
