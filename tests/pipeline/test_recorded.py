"""Nothing is made from what DVC's cache has damaged, and the next run makes it again."""

import json
from pathlib import Path
from typing import Any

import pytest

Project = Any  # the fixture's class, in conftest.py

DVC_YAML = """
stages:
  first:
    cmd: python first.py
    deps: [first.py]
    outs: [data/made, one.bin]
  toy:
    cmd: python stages/toy.py
    deps: [data/made, one.bin, src/band, src/melodygan/pipeline, stages/toy.py]
    outs: [out]
"""
FIRST = """
from pathlib import Path
Path("data/made").mkdir(parents=True)
for name in "abc":
    Path("data/made", name).write_text(name * 5000)
Path("one.bin").write_text("one" * 5000)
with open("calls", "a") as file:
    file.write("x")
"""
READS = """
print(stage.fingerprint({}))
text = "".join(Path("data/made", name).read_text() for name in "abc") + Path("one.bin").read_text()
Path("out").write_text(text)
"""
TRACKS = """
from melodygan.pipeline.tracks import Job, map_tracks
from band.work import work
jobs = [Job(n, n, (f"data/made/{n}",), (Path("data/made", n),)) for n in "ab"]
folders = map_tracks(stage, jobs, work, {})
Path("out").write_text("".join((folder / "copy").read_text() for folder in folders.values()))
"""
WORK = """
import shutil
def work(folder, file):
    shutil.copyfile(file, folder / "copy")
"""


@pytest.fixture
def made(project: Project) -> Project:
    """The toy project, whose stage reads what another has made, run and committed to the cache."""
    project.write("dvc.yaml", DVC_YAML)
    project.write("first.py", FIRST)
    project.write("src/band/work.py", WORK)
    project.main(READS)
    repro(project)
    return project


def repro(project: Project, *arguments: str) -> str:
    result = project.python("-m", "dvc", "repro", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return str(result.stdout)


def cached(project: Project, path: str) -> Path:
    """The object of a file of the first stage in the cache."""
    root: Path = project.root
    content = (root / path).read_bytes()
    objects = (root / ".dvc/cache/files/md5").rglob("*")
    return next(p for p in objects if p.is_file() and p.read_bytes() == content)


def overwrite(path: Path, content: bytes) -> None:
    """As a disk does it: DVC sees no difference in what `stat` tells of rights."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)


def checkout(project: Project) -> None:
    """As on a machine that has the cache and not the files."""
    for path in ("data/made/a", "data/made/b", "data/made/c", "one.bin"):
        (project.root / path).unlink()
    result = project.python("-m", "dvc", "checkout")
    assert result.returncode == 0, result.stderr


def test_what_came_damaged_out_of_the_cache_is_refused_and_made_again(made: Project) -> None:
    whole = (made.root / "out").read_bytes()
    objects = {path: cached(made, f"data/made/{path}") for path in "ab"}
    objects["one"] = cached(made, "one.bin")
    overwrite(objects["a"], b"A" + b"a" * 4999)  # one bit
    overwrite(objects["b"], b"")
    overwrite(objects["one"], b"one" * 100)
    checkout(made)
    assert (made.root / "data/made/b").read_bytes() == b"", "DVC does not look"
    made.main("# edited\n" + READS)  # else DVC takes the result from its run-cache
    result = made.python("-m", "dvc", "repro")
    assert result.returncode != 0
    (said,) = [line for line in result.stderr.splitlines() if line.startswith("toy: ")]
    assert "came damaged out of DVC's cache" in said and "`dvc repro` makes them again" in said
    assert all(name in said for name in ("data/made/a", "data/made/b", "one.bin"))
    assert not any(path.exists() for path in objects.values())
    repro(made)
    assert (made.root / "out").read_bytes() == whole
    assert (made.root / "calls").read_text() == "xx"
    assert cached(made, "data/made/a") == objects["a"], "the cache has it again"


def test_a_tracks_work_is_not_done_on_damaged_files(made: Project) -> None:
    made.main(TRACKS)
    overwrite(cached(made, "data/made/a"), b"A" + b"a" * 4999)
    checkout(made)
    result = made.python("stages/toy.py")
    assert result.returncode == 1 and "data/made/a came damaged" in result.stderr
    assert list((made.root / ".cache/tracks/toy").iterdir()) == []
    repro(made)
    assert (made.root / "out").read_text() == "a" * 5000 + "b" * 5000


def test_what_the_user_has_changed_is_the_users(made: Project) -> None:
    """Whatever the cache is like: only a copy of what is damaged there is known to be damaged."""
    before = made.python("stages/toy.py").stdout
    made.write("data/made/a", "mine")
    made.write(".dvc/config.local", "[cache]\n    dir = elsewhere\n")
    changed = made.python("stages/toy.py")
    assert changed.returncode == 0 and changed.stdout != before
    made.write(".dvc/config.local", f"[cache]\n    dir = {json.dumps(str(made.root))[1:-1]}\n")
    assert made.python("stages/toy.py").stdout == changed.stdout
    made.write(".dvc/config.local", "no configuration")
    assert made.python("stages/toy.py").stdout == changed.stdout
