"""A toy project in a temporary folder: own src/, dvc.yaml, params.yaml, run by real processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import fake
import pytest
from hypothesis import settings

import melodygan.pipeline

# how long an example takes says more about the machine's load than about the code
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

DVC_YAML = """
stages:
  toy:
    cmd: python stages/toy.py
    deps: [in.txt, src/melodygan/pipeline, src/band, stages/toy.py]
    params: [toy]
    outs: [out]
"""


@dataclass(frozen=True)
class Project:
    """A checkout with the stage `toy`, whose script is stages/toy.py."""

    root: Path
    environment: dict[str, str]

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), "utf-8")

    def main(self, body: str) -> None:
        """Make `body` the stage's main function."""
        lines = dedent(body).strip().splitlines()
        self.write(
            "stages/toy.py",
            "from pathlib import Path\nfrom melodygan.pipeline import Stage, run\n\n"
            "def main(stage: Stage) -> None:\n"
            + "".join(f"    {line}\n" for line in lines)
            + "\nif __name__ == '__main__':\n    run(main)\n",
        )

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a Python command (`-m dvc repro`, `stages/toy.py`) in the project."""
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def python(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a Python command to its end."""
        process = self.start(*command)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def git(self, *arguments: str) -> str:
        """Run git and return what it says."""
        return subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout


def clean_environment(home: Path) -> dict[str, str]:
    """This process's variables without those of an outer stage, DVC or git configuration."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DVC_", "GIT_", "MELODYGAN_", "PYTHON"))
    }
    person = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
    }
    folders = {f"DVC_{kind}_DIR": str(home / kind.lower()) for kind in ("GLOBAL_CONFIG",)}
    folders |= {"DVC_SYSTEM_CONFIG_DIR": str(home / "system"), "DVC_SITE_CACHE_DIR": str(home)}
    return {
        **inherited,
        **person,
        **folders,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "DVC_NO_ANALYTICS": "1",
        "PATH": str(Path(sys.executable).parent) + os.pathsep + inherited["PATH"],
    }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The toy project; its stage is declared to read in.txt and to write the file `out`."""
    root = tmp_path / "project"
    made = Project(root, clean_environment(tmp_path / "home"))
    package = Path(melodygan.pipeline.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, root / "src/melodygan/pipeline", ignore=ignored)
    made.write("src/melodygan/__init__.py", "")
    made.write("src/band/__init__.py", "")
    fake.write_params(made.root, {"checkpoint_seconds": 0}, toy={"factor": 2})
    made.write("dvc.yaml", DVC_YAML)
    made.write("in.txt", "input\n")
    made.write(".dvc/config", "[core]\n    analytics = false\n")
    made.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    made.write(".dvcignore", "__pycache__\n.cache\n")
    made.write(".gitignore", "__pycache__\n/.cache\n/out\n")
    made.git("init", "--quiet")
    return made


@pytest.fixture
def params_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write text as a params.yaml and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "params.yaml"
        path.write_text(dedent(text), "utf-8")
        return path

    return write
