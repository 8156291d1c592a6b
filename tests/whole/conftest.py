"""The real pipeline, run by the real dvc, on tiny parameters in a temporary clone."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]

TINY = {
    "runtime": {"device": "cpu", "threads": 1},
    "preprocess": {"shards": 2},
    "vqvae": {"steps": 20, "batch_size": 2, "validate_every": 10, "frames": 128, "channels": 8,
              "residual_blocks": 1, "codebook_size": 32, "code_dim": 8},
    "latent_gan": {"steps": 12, "batch_size": 4, "validate_every": 12, "channels": 8},
    "cyclegan": {"steps": 6, "validate_every": 6, "frames": 64, "width": 4, "blocks": 1},
    "vocoder": {"steps": 10, "batch_size": 2, "validate_every": 10, "channels": 16, "blocks": 1,
                "iterations": 4},
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
        path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DVC_", "MELODYGAN_", "PYTEST"))
        }
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", message)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone in which `dvc repro` has run once."""
    root = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    for group, values in TINY.items():
        params[group].update(values)
    yaml.dump(params, root / "params.yaml")
    (root / "data/sources.yaml").write_text(SOURCES)
    project = Project(root)
    project.run("git", "init", "-q")
    project.run("melodygan", "lock")
    project.commit("start")
    project.dvc("repro")
    project.commit("first run")
    return project
