"""A fresh clone takes downloaded tracks from the last commit's data/raw, not from their servers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from melodygan.pipeline.errors import UserError


def run(*command: str) -> None:
    """Run a command as somebody with a name, with this environment's programs first on PATH."""
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_"))}
    person = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER")
              for what in ("NAME", "EMAIL")}  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, env=kept | person | {"PATH": path})


def test_what_the_last_commit_has_is_not_downloaded_again(
    project: Any, server: Any, tone: Any
) -> None:
    source = {"url": server.add("/s.wav", tone(440)), "allow_private": True}
    project.lock(source)
    rows = project.download()
    Path("dvc.yaml").write_text("stages: {download: {cmd: x, outs: [data/raw]}}")
    Path(".gitignore").write_text("/data/raw\n/.cache\n")
    for command in ("git init -q", "dvc init -q", "dvc commit -q -f download", "git add -A"):
        run(*command.split())
    server.pages.clear()
    shutil.rmtree(".cache")
    with pytest.raises(UserError, match="can be had no more"):
        project.download()  # nothing is committed yet
    run("git", "commit", "-q", "-m", "a track")
    assert project.download() == rows
    assert (project.raw / rows[0]["file"]).read_bytes() == tone(440)
