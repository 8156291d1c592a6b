"""The real pipeline, run by the real dvc, on tiny parameters in a temporary clone."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake
import pytest

ROOT = Path(__file__).parents[2]

TINY = {
    "runtime": {"device": "cpu", "threads": 1},
    "preprocess": {"shards": 2},
    "vqvae": {"steps": 20, "batch_size": 2, "validate_every": 10, "frames": 128, "channels": 8,
              "residual_blocks": 1, "codebook_size": 32, "code_dim": 8, "sample_every": 10},
    "latent_gan": {"steps": 12, "batch_size": 4, "validate_every": 12, "sample_every": 12,
                   "channels": 8},
    "latent_prior": {"autoregressive": {"steps": 4, "batch_size": 2, "validate_every": 4,
                                        "sample_every": 4, "channels": 32, "layers": 1}},
    "cyclegan": {"steps": 6, "validate_every": 6, "sample_every": 6, "frames": 64,
                 "width": 4, "blocks": 1},
    "pix2pix": {"steps": 4, "validate_every": 4, "sample_every": 4, "frames": 64, "width": 4},
    "wgan_gp": {"steps": 6, "batch_size": 4, "validate_every": 6, "sample_every": 6,
                "frames": 128, "channels": 8},
    "autoencoder": {"steps": 6, "batch_size": 8, "validate_every": 6, "widths": [32]},
    "feature_gan": {"steps": 6, "batch_size": 8, "validate_every": 6, "width": 16},
    "vocoder": {"magnet": {"steps": 10, "batch_size": 2, "validate_every": 10, "sample_every": 5,
                           "channels": 8, "blocks": 1, "quality": "fast"}},
    "generate": {"samples": 12, "tracks": 1, "seconds": 3.0},
}  # fmt: skip
SOURCES = "sources:\n  - demo: {tracks: 8, seconds: 6}\n"


@dataclass
class Project:
    """A clone of this repository with tiny parameters."""

    root: Path

    def dvc(self, *arguments: str) -> str:
        """Run dvc there; returns what it printed, and fails the test when dvc fails."""
        return self.run("dvc", *arguments)

    def run(self, *command: str) -> str:
        """Run a command there with this environment's programs first on PATH."""
        process = self.start(*command)
        out, _ = process.communicate()
        assert process.returncode == 0, out[-4000:]
        return out

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command there in a process group of its own."""
        path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DVC_", "MELODYGAN_", "PYTEST"))
        }
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=environment | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def set(self, params: dict[str, Any]) -> None:
        """Change parameters."""
        fake.change_params(self.root, params)

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", message)


def make_project(root: Path, params: dict[str, Any]) -> Project:
    """A copy of the working tree in `root`, with `params` changed, under git."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        # a run in the working tree may have left its lock, whose outputs are not here
        if (ROOT / name).is_file() and name != "dvc.lock":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    project = Project(root)
    project.set(params)
    project.run("git", "init", "-q")
    return project


def first_run(factory: pytest.TempPathFactory) -> tuple[Project, float]:
    """A clone in which `dvc repro` has run once, committed, and how long that took, s.

    All of pytest's workers have the same. Its working tree is that of tests/whole/test_pipeline.py:
    others may clone it.
    """
    inside = "PYTEST_XDIST_WORKER" in os.environ
    base = factory.getbasetemp().parent if inside else factory.getbasetemp()
    project, done = Project(base / "first-run"), base / "first-run.done"
    with (base / "first-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(project.root, ignore_errors=True)
            project.root.mkdir()
            make_project(project.root, TINY)
            (project.root / "data/sources.yaml").write_text(SOURCES)
            project.run("melodygan", "lock")
            project.commit("start")
            began = time.monotonic()
            project.dvc("repro")
            seconds = time.monotonic() - began
            project.commit("first run")
            done.write_text(str(seconds))
    return project, float(done.read_text())


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone in which `dvc repro` has run once."""
    return first_run(tmp_path_factory)[0]


DATA_SIDE = {
    "separate": {"enabled": False, "shards": 2},
    "preprocess": {"stems": ["mix"], "min_seconds": 0.5, "shards": 2},
}


@pytest.fixture
def data_side(tmp_path: Path) -> Project:
    """A clone for the stages before training, without separation; nothing has run in it."""
    root = tmp_path / "clone"
    root.mkdir()
    return make_project(root, DATA_SIDE)
