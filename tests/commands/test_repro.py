"""`melodygan repro`, with the real dvc."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from dvc.repo import Repo

from melodygan.commands.repro import ancestors, read_graph, repro
from melodygan.pipeline.errors import UserError

ROOT = Path(__file__).parents[2]

# `left` and `right` each end only if the other one runs at the same time
PIPELINE = """
stages:
  last:
    cmd: python work.py last
    deps: [out/left/data, out/right]
    outs: [{out/last: {cache: true}}]
  first:
    cmd: python work.py first
    deps: [work.py]
    params: [fail]
    outs: [out/first]
  left:
    cmd: python work.py left right
    deps: [out/first]
    outs: [out/left]
  right:
    cmd: python work.py right left
    deps: [out/first]
    outs: [out/right]
  aside:
    cmd: python work.py aside
    outs: [out/aside]
"""

WORK = """
import pathlib, sys, time
name, *partner = sys.argv[1:]
with open("ran.txt", "a") as log:
    log.write(name + "\\n")
pathlib.Path(name + ".here").touch()
for _ in range(600):
    if all(pathlib.Path(p + ".here").exists() for p in partner):
        break
    time.sleep(0.1)
else:
    sys.exit("alone")
if f"fail: {name}" in pathlib.Path("params.yaml").read_text():
    sys.exit("as asked")
pathlib.Path("out", name).mkdir(parents=True)
pathlib.Path("out", name, "data").write_text(name)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "params.yaml").write_text("fail: nothing\n")
    Repo.init(no_scm=True).close()
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    )
    return tmp_path


def ran() -> list[str]:
    return Path("ran.txt").read_text().split()


def test_the_graph_of_the_repository_is_the_one_that_dvc_sees() -> None:
    with Repo(str(ROOT)) as repo:
        seen = {
            stage.name: {before.name for before in repo.index.graph.successors(stage)}
            for stage in repo.index.graph
        }
    assert read_graph(ROOT / "dvc.yaml") == seen


def test_independent_stages_run_side_by_side_and_dependent_ones_in_order(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repro(["last"], 2)
    order = ran()
    assert order[0] == "first"
    assert sorted(order[1:3]) == ["left", "right"]
    assert order[3:] == ["last"]  # and `aside`, which was not asked for, did not run

    lock = (project / "dvc.lock").read_text()
    assert all(f"  {stage}:" in lock for stage in order)
    repro(["last"], 2)
    assert ran() == order
    assert "4 of 4 stages are up to date" in capsys.readouterr().out

    (project / "out/left/data").unlink()  # restored, with nothing run
    repro(["last"], 2)
    assert ran() == order
    assert (project / "out/left/data").exists()


def test_after_a_failure_nothing_more_starts_and_the_stage_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "params.yaml").write_text("fail: first\n")
    with pytest.raises(UserError, match="stage first failed, 3 not started"):
        repro(["last"], 2)
    assert ran() == ["first"]
    assert "first | as asked" in capsys.readouterr().out


def test_an_unknown_stage_and_a_foreign_form_are_refused(project: Path) -> None:
    with pytest.raises(UserError, match=r"no stage lst: did you mean last\?"):
        repro(["lst"], 1)
    (project / "dvc.yaml").write_text("stages: {many: {foreach: [1], do: {cmd: 'true'}}}")
    with pytest.raises(UserError, match="foreach"):
        repro([], 1)


def test_a_stage_needs_all_before_it() -> None:
    graph = {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"a"}}
    assert ancestors(graph, ["c"]) == {"a": set(), "b": {"a"}, "c": {"b"}}
    assert ancestors(graph, []) == graph


def test_sigterm_stops_the_stages_too(project: Path) -> None:
    command = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(100)"
    (project / "work.py").write_text(command)
    with subprocess.Popen(
        [sys.executable, "-m", "melodygan.cli", "repro", "first"], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        pid = next(int(line.split()[-1]) for line in running.stdout if "| pid" in line)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 143
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
