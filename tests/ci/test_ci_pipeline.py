"""The script that CI runs, for real: the real dvc, git, and a folder as remote storage."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "ci_pipeline.sh"

# one root, two branches, and a report that reads only the second branch and metrics of the first
PIPELINE = """
stages:
  prepare:
    cmd: python work.py prepare
    deps: [work.py]
    params: [prepare]
    outs: [out/prepare]
  left:
    cmd: python work.py left out/prepare
    deps: [work.py, out/prepare]
    params: [left]
    outs: [out/left]
    metrics: [metrics/left.json: {cache: false}]
  right:
    cmd: python work.py right out/prepare
    deps: [work.py, out/prepare]
    params: [right]
    outs: [out/right]
    metrics: [metrics/right.json: {cache: false}]
  report:
    cmd: python work.py report out/right
    deps: [work.py, out/right, metrics/left.json]
    outs: [out/report]
    metrics: [metrics/report.json: {cache: false}]
"""

WORK = """
import json, os, pathlib, sys
name, *inputs = sys.argv[1:]
with open(os.environ["RAN"], "a") as log:
    log.write(name + "\\n")
settings = dict(line.split(": ") for line in open("params.yaml").read().splitlines())
value = int(settings.get(name, 0)) + sum(int(pathlib.Path(i).read_text()) for i in inputs)
for folder in ("out", "metrics"):
    pathlib.Path(folder).mkdir(exist_ok=True)
pathlib.Path("out", name).write_text(str(value))
if name != "prepare":
    pathlib.Path("metrics", name + ".json").write_text(json.dumps({name: value}))
"""


@dataclass
class Sandbox:
    """Folders of one test; `ran` is the log of stages, outside every repository."""

    root: Path

    def __post_init__(self) -> None:
        self.origin = self.root / "origin"
        self.remote = self.root / "remote"
        self.ran = self.root / "ran.txt"
        self.summary = self.root / "summary.md"

    def run(self, folder: Path, *command: str) -> str:
        """Run a command with this interpreter's dvc and python first on PATH."""
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RAN": str(self.ran),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "DVC_NO_ANALYTICS": "1",
            "HOME": str(self.root),  # nobody's own git or dvc settings
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
        done = subprocess.run(
            command, cwd=folder, env=environment, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def executed(self) -> list[str]:
        """Stages that ran since the last call."""
        names = self.ran.read_text().split() if self.ran.exists() else []
        self.ran.unlink(missing_ok=True)
        return names

    def clone(self, name: str) -> Path:
        """A fresh clone, as a CI machine has it: no DVC cache."""
        self.run(self.root, "git", "clone", "-q", str(self.origin), name)
        return self.root / name


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = Sandbox(tmp_path)
    sandbox.origin.mkdir()
    (sandbox.origin / "dvc.yaml").write_text(PIPELINE)
    (sandbox.origin / "work.py").write_text(WORK)
    (sandbox.origin / "params.yaml").write_text("prepare: 1\nleft: 10\nright: 100\n")
    sandbox.run(sandbox.origin, "git", "init", "-q")
    sandbox.run(sandbox.origin, "dvc", "init", "-q")
    sandbox.run(sandbox.origin, "dvc", "config", "core.check_update", "false")
    return sandbox


def with_remote(sandbox: Sandbox) -> None:
    """Run everything once, push it, and commit."""
    folder = sandbox.origin
    sandbox.run(folder, "dvc", "remote", "add", "-q", "-d", "store", str(sandbox.remote))
    sandbox.run(folder, "dvc", "repro", "-q")
    sandbox.run(folder, "dvc", "push", "-q", "--run-cache")
    sandbox.run(folder, "git", "add", "-A")
    sandbox.run(folder, "git", "commit", "-q", "-m", "first")
    assert sandbox.executed() == ["prepare", "left", "right", "report"]


def test_only_the_changed_stage_and_its_successors_run_and_the_summary_tells(
    sandbox: Sandbox,
) -> None:
    with_remote(sandbox)
    first = sandbox.clone("first")
    (first / "params.yaml").write_text("prepare: 1\nleft: 10\nright: 200\n")
    sandbox.run(first, str(SCRIPT))
    assert sandbox.executed() == ["right", "report"]
    assert (first / "out" / "prepare").exists()  # pulled: `right` reads it
    assert not (first / "out" / "left").exists()  # nobody who runs reads it

    lines = [line.split("|") for line in sandbox.summary.read_text().splitlines()]
    rows = [[cell.strip() for cell in line] for line in lines if len(line) > 5]
    assert sorted(row[1:-1] for row in rows if row[1].endswith(".json")) == [
        ["metrics/report.json", "report", "101", "201", "100"],
        ["metrics/right.json", "right", "101", "201", "100"],
    ]

    # what CI computed, nobody computes again
    second = sandbox.clone("second")
    (second / "params.yaml").write_text("prepare: 1\nleft: 10\nright: 200\n")
    sandbox.run(second, "dvc", "repro", "--pull", "--allow-missing")
    assert sandbox.executed() == []
    assert (second / "out" / "report").read_text() == "201"


def test_an_unchanged_clone_runs_and_pulls_nothing(sandbox: Sandbox) -> None:
    with_remote(sandbox)
    clone = sandbox.clone("clone")
    sandbox.run(clone, str(SCRIPT), "HEAD")
    assert sandbox.executed() == []
    assert not list((clone / "out").glob("[!.]*"))
    assert "metrics/" not in sandbox.summary.read_text()


def test_without_a_remote_everything_runs_here_and_one_line_says_so(sandbox: Sandbox) -> None:
    sandbox.run(sandbox.origin, "git", "add", "-A")
    sandbox.run(sandbox.origin, "git", "commit", "-q", "-m", "first")
    told = sandbox.run(sandbox.origin, str(SCRIPT))
    assert sum("no DVC remote" in line for line in told.splitlines()) == 1
    assert sandbox.executed() == ["prepare", "left", "right", "report"]
    assert "metrics/report.json" in sandbox.summary.read_text()


def test_a_failing_stage_fails_the_script(sandbox: Sandbox) -> None:
    (sandbox.origin / "work.py").write_text("raise SystemExit(3)")
    with pytest.raises(AssertionError, match="failed to reproduce 'prepare'"):
        sandbox.run(sandbox.origin, str(SCRIPT))
    assert not sandbox.summary.exists()
