"""Scratch copies of the project, in which the data stages run as the processes that they are."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from melodygan.pipeline.files import read_rows

from .corpus import Corpus, make_corpus, make_sentinels

ROOT = Path(__file__).parents[2]
# by stage; one file takes for ever to be decoded, which only `separate` has to find out
TRACK_SECONDS = {"download": 300, "separate": 20, "preprocess": 300, "features": 300}
CHANGES = {
    "runtime": {"workers": 2},
    "separate": {"enabled": False},
    "preprocess": {"stems": ["instrumental"], "min_seconds": 0.4, "shards": 2},
}


@dataclass(frozen=True)
class Project:
    """A copy of the code with a folder `music` as its only source.

    printed: what each step printed, by its name; errors: what it sent to stderr.
    """

    root: Path
    printed: dict[str, str]
    errors: dict[str, str]

    def index(self, folder: str) -> list[dict[str, Any]]:
        """The rows of data/FOLDER's index."""
        return read_rows(self.root / "data" / folder / "index.jsonl")

    def run(self) -> None:
        """Lock the sources and run the data stages; fails the test where one of them fails."""
        write_params(self.root, 300)
        self._step("lock", "-m", "melodygan.cli", "lock")
        for stage, seconds in TRACK_SECONDS.items():
            write_params(self.root, seconds)
            self._step(stage, f"stages/{stage}.py")

    def _step(self, name: str, *command: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MELODYGAN_"))}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.root,
            env=kept | {"PYTHONPATH": str(self.root / "src")},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=300,
        )
        self.printed[name], self.errors[name] = done.stdout, done.stderr
        assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"


def write_params(root: Path, track_seconds: float) -> None:
    """Write this checkout's params.yaml, with changes, into `root`."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for group, values in CHANGES.items():
        params[group].update(values)
    params["runtime"]["track_seconds"] = track_seconds
    yaml.dump(params, root / "params.yaml")


def make_project(root: Path) -> Project:
    """A copy of this checkout's code in `root`, which has no music yet."""
    for folder in ("src", "stages"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", root)
    (root / "data").mkdir()
    (root / "data/sources.yaml").write_text("sources:\n  - folder: music\n")
    return Project(root, {}, {})


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Corpus]:
    """The corpus, and a project that has been run on it."""
    base = tmp_path_factory.mktemp("hostile")
    project = make_project(base / "project")
    corpus = make_corpus(project.root / "music", base / "outside/secret.mp3")
    project.run()
    return project, corpus


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has been run on the sentinels alone."""
    project = make_project(tmp_path_factory.mktemp("calm") / "project")
    make_sentinels(project.root / "music")
    project.run()
    return project
