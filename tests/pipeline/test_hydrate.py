"""On a fresh clone the last commit's outputs are as good as a side cache."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

Project = Any  # the fixture's class, in conftest.py

WORK = """
from pathlib import Path

def work(folder, track, value):
    with open("calls", "a") as file:
        file.write(track)
    (folder / "value").write_text(value * 3)
"""

MAIN = """
import json
from melodygan.pipeline.files import atomic_dir
from melodygan.pipeline.tracks import Job, map_tracks
from band.work import work

def restore(track, source, folder):
    if track == "copy":  # as preprocess leaves a second copy out
        return False
    (folder / "value").write_bytes((source / track).read_bytes())
    return True

tracks = json.loads(Path("in.txt").read_text())
jobs = [Job(t, v, (t, v)) for t, v in tracks.items()]
folders = map_tracks(stage, jobs, work, {}, restore=(Path("out"), restore))
with atomic_dir(Path("out")) as out:
    for track, folder in folders.items():
        (out / track).write_bytes((folder / "value").read_bytes())
"""

TRACKS = {"a": "1", "b": "2", "c": "3"}


@pytest.fixture
def committed(project: Project, tmp_path: Path) -> Project:
    """The toy with its outputs made, pushed to a remote, and committed."""
    project.write("src/band/work.py", WORK)
    project.main(MAIN)
    table = (project.root / "dvc.yaml").read_text()
    project.write("dvc.yaml", table.replace("outs: [out]", "outs: [out, data/keys/toy.jsonl]"))
    project.write(".gitignore", "__pycache__\n/.cache\n/out\n/data/keys\n/calls\n")
    remote = "[core]\n    analytics = false\n    remote = here\n['remote \"here\"']\n    url = "
    project.write(".dvc/config", remote + str(tmp_path / "remote") + "\n")
    project.write("in.txt", json.dumps(TRACKS))
    for command in (["repro"], ["push"]):
        result = project.python("-m", "dvc", *command)
        assert result.returncode == 0, result.stderr
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "results")
    return project


def clone(project: Project, pull: bool) -> Project:
    root = project.root.with_name("clone")
    project.git("clone", "--quiet", ".", str(root))
    copy = replace(project, root=root)
    if pull:
        result = copy.python("-m", "dvc", "pull")
        assert result.returncode == 0, result.stderr
    return copy


def add_and_run(project: Project, **tracks: str) -> tuple[str, dict[str, str]]:
    """Tracks that were worked on after `tracks` were added, and the output."""
    (project.root / "calls").unlink(missing_ok=True)
    project.write("in.txt", json.dumps(TRACKS | tracks))
    result = project.python("-m", "dvc", "repro")
    assert result.returncode == 0, result.stdout + result.stderr
    calls = project.root / "calls"
    made = {path.name: path.read_text() for path in (project.root / "out").iterdir()}
    return "".join(sorted(calls.read_text())) if calls.exists() else "", made


def test_a_fresh_clone_with_pulled_outputs_does_only_what_is_new(committed: Project) -> None:
    calls, made = add_and_run(clone(committed, pull=True), d="4")
    assert calls == "d"
    assert made == {"a": "111", "b": "222", "c": "333", "d": "444"}


def test_of_tracks_with_equal_content_any_will_do(committed: Project) -> None:
    add_and_run(committed, copy="3")
    result = committed.python("-m", "dvc", "push")
    assert result.returncode == 0, result.stderr
    committed.git("commit", "--quiet", "-am", "a copy")
    calls, made = add_and_run(clone(committed, pull=True), copy="3", d="4")
    assert calls == "d" and made["copy"] == "333"


def test_without_the_outputs_all_is_done_again(committed: Project) -> None:
    copy = clone(committed, pull=False)
    shutil.rmtree(committed.root.with_name("remote"))
    calls, made = add_and_run(copy, d="4")
    assert calls == "abcd"
    assert made == {"a": "111", "b": "222", "c": "333", "d": "444"}


def test_what_the_cache_has_damaged_is_not_restored(committed: Project) -> None:
    copy = clone(committed, pull=True)
    objects = [path for path in (copy.root / ".dvc/cache/files").rglob("*") if path.is_file()]
    (damaged,) = [path for path in objects if path.read_bytes() == b"222"]
    damaged.chmod(0o644)
    damaged.write_bytes(b"223")
    damaged.chmod(0o444)
    calls, made = add_and_run(copy, d="4")
    assert calls == "abcd"
    assert made == {"a": "111", "b": "222", "c": "333", "d": "444"}


def test_what_was_made_by_other_code_is_not_restored(committed: Project) -> None:
    copy = clone(committed, pull=True)
    copy.write("src/band/work.py", WORK.replace("* 3", "* 2"))
    calls, made = add_and_run(copy)
    assert calls == "abc"
    assert made == {"a": "11", "b": "22", "c": "33"}


@pytest.mark.parametrize("name", ["deep/project", "my music /ends in a space "])
def test_in_a_folder_of_a_larger_repository_it_is_the_same(committed: Project, name: str) -> None:
    top = committed.root.with_name("top")
    inner = replace(committed, root=top / name)
    top.mkdir()
    shutil.copytree(committed.root, inner.root, ignore=shutil.ignore_patterns(".git", ".cache"))
    outer = replace(committed, root=top)
    outer.git("init", "--quiet")
    for key, value in (("user.name", "a"), ("user.email", "a@b.c")):
        outer.git("config", key, value)
    (inner.root / ".dvc/tmp").mkdir(exist_ok=True)
    outer.git("add", ".")
    outer.git("commit", "--quiet", "-m", "all")
    calls, made = add_and_run(inner, d="4")
    assert calls == "d"
    assert made == {"a": "111", "b": "222", "c": "333", "d": "444"}
