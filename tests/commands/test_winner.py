"""The best values as an experiment: real git and real DVC on a stage that takes no time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from melodygan.commands.winner import experiment
from melodygan.pipeline.errors import UserError

DVC_YAML = """
stages:
  vqvae:
    cmd: cp params.yaml metrics.yaml
    params: [vqvae]
    metrics: [metrics.yaml: {cache: false}]
"""
# params and metrics at once
PARAMS = {"vqvae": {"lr": 0.5, "commitment": 0.25}}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With its results committed."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "nobody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "nobody@example.org")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text(json.dumps(PARAMS))
    for command in (("git", "init", "-q"), ("dvc", "init", "-q"), ("dvc", "repro", "-q")):
        run(*command)
    run("git", "add", ".")
    run("git", "commit", "-qm", "base")
    return tmp_path


def run(*command: str) -> str:
    if command[0] == "dvc":
        command = (sys.executable, "-m", *command)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_an_experiment_has_the_values_and_the_studys_name_and_its_metrics_differ(
    repository: Path,
) -> None:
    experiment("vqvae", {"lr": 0.125}, "vqvae-12ab34cd")
    shown = json.loads(run("dvc", "exp", "show", "--json"))
    (made,) = shown[1]["experiments"]
    assert "vqvae-12ab34cd" in json.dumps(made) + run("git", "log", "--all", "--format=%B")
    (revision,) = made["revs"]
    (params,) = revision["data"]["params"].values()
    assert params["data"]["vqvae"] == {"lr": 0.125, "commitment": 0.25}
    changed = json.loads(run("dvc", "metrics", "diff", "--json"))
    of = changed["metrics.yaml"]["vqvae.lr"]
    assert (of["old"], of["new"]) == (0.5, 0.125)
    with pytest.raises(UserError, match=r"`dvc exp run -S vqvae.none=1 -m a vqvae` failed"):
        experiment("vqvae", {"none": 1}, "a")
