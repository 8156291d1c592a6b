"""Per-track work is done once per (content, parameters, code), whatever happens in between."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

Project = Any  # the fixture's class, in conftest.py

WORK = """
import os
import signal
import time
from pathlib import Path

import numpy as np


def work(folder, track, seed, calls):
    '''A result that depends on the content; its order of sums would show a thread count.'''
    with open(calls, "a") as file:
        file.write(f"{track}\\n")
    if Path("die").exists() and track == Path("die").read_text():
        (folder / "half").write_text("half-written")
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if Path("crash").exists() and track == Path("crash").read_text():
        os.kill(os.getpid(), signal.SIGSEGV)
    if Path("hang").exists() and track == Path("hang").read_text():
        time.sleep(60)
    if Path("raise").exists() and track == Path("raise").read_text():
        (folder / "half").write_text("half-written")
        raise IndexError("a bug in the work")
    rng = np.random.default_rng(seed)
    product = rng.standard_normal((700, 300)) @ rng.standard_normal((300, 500))
    np.save(folder / "result.npy", product)
"""

MAIN = """
import hashlib, json
from melodygan.pipeline.tracks import Job, map_tracks
from band.work import work
plan = json.loads(Path("plan.json").read_text())
jobs = [Job(t, c, (t, int(c), "calls")) for t, c in plan["tracks"]]

def reject(folder, reason):
    (folder / "result.npy").write_text(reason)

folders = map_tracks(stage, jobs, work, plan["params"], reject if plan["reject"] else None)
sums = {t: hashlib.sha256((f / "result.npy").read_bytes()).hexdigest() for t, f in folders.items()}
Path("out").write_text(json.dumps(sums, sort_keys=True))
"""

TRACKS = [["a", "1"], ["b", "2"], ["c", "3"]]


class Runner:
    """Runs the toy stage and tells which tracks were worked on."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.root: Path = project.root
        project.write("src/band/work.py", WORK)
        project.main(MAIN)

    def start(self, tracks: list[list[str]], params: Any = None, reject: bool = False) -> Any:
        """Run to the end, whatever that is."""
        (self.root / "calls").unlink(missing_ok=True)
        plan = {"tracks": tracks, "params": params, "reject": reject}
        self.project.write("plan.json", json.dumps(plan))
        return self.project.python("stages/toy.py")

    def run(self, tracks: list[list[str]] = TRACKS, params: Any = None) -> list[str]:
        """The tracks that were worked on in a run that succeeds."""
        result = self.start(tracks, params)
        assert result.returncode == 0, result.stderr
        return self.calls()

    def calls(self) -> list[str]:
        """Tracks whose work was started in the last run."""
        path = self.root / "calls"
        return sorted(path.read_text().split()) if path.exists() else []

    def cached(self) -> list[str]:
        """Folders of the side cache."""
        folder = self.root / ".cache/tracks/toy"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def runner(project: Project) -> Runner:
    return Runner(project)


def test_only_what_is_new_is_done(runner: Runner) -> None:
    assert runner.run() == ["a", "b", "c"]
    assert runner.run() == []
    assert runner.run([*TRACKS, ["d", "4"]]) == ["d"]
    assert runner.run([["a", "1"], ["c", "5"]]) == ["c"], "other content, other result"
    assert runner.run(TRACKS) == [], "what was done before a change is still there after it"
    assert runner.run(params={"x": 1}) == ["a", "b", "c"]
    assert runner.run(params={"x": 1}) == []


def test_changed_code_does_the_work_again_and_the_old_code_finds_its_results(
    runner: Runner,
) -> None:
    runner.run(TRACKS[:1])
    runner.project.write("src/band/work.py", WORK + "\nVALUE = 1\n")
    assert runner.run(TRACKS[:1]) == ["a"]
    runner.project.write("src/band/work.py", WORK)
    assert runner.run(TRACKS[:1]) == []


def test_a_comment_a_docstring_and_other_line_breaks_cost_no_work(runner: Runner) -> None:
    runner.run()
    edited = WORK.replace("'''A result", "'''Another result").replace("(700, 300)", "(\n700,300)")
    assert edited != WORK
    runner.project.write("src/band/work.py", "# a comment\n" + edited)
    assert runner.run() == []
    runner.project.write("src/band/work.py", edited.replace("700", "701"))
    assert runner.run() == ["a", "b", "c"]


def test_a_renamed_track_and_a_copy_of_a_track_cost_no_work(runner: Runner) -> None:
    assert len(runner.run([["a", "1"], ["copy", "1"]])) == 1
    assert runner.run([["renamed", "1"]]) == []


def test_a_kill_keeps_what_is_done(runner: Runner) -> None:
    (runner.root / "die").write_text("c")
    assert runner.start(TRACKS).returncode == -9
    assert runner.calls() == ["a", "b", "c"]
    (runner.root / "die").unlink()
    assert runner.run() == ["c"]
    killed = (runner.root / "out").read_bytes()
    for folder in (runner.root / ".cache/tracks/toy").iterdir():
        folder.rename(runner.root / folder.name)  # a cold cache
    assert runner.run() == ["a", "b", "c"]
    assert (runner.root / "out").read_bytes() == killed


DAMAGE = {
    "flipped": lambda path: path.write_bytes(
        path.read_bytes()[:-9] + b"X" + path.read_bytes()[-8:]
    ),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:3000]),
    "empty": lambda path: path.write_bytes(b""),
    "removed": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "without its checksums": lambda path: (path.parent / "checksums.json").unlink(),
    "with other checksums": lambda path: (path.parent / "checksums.json").write_text("[1]"),
    "a file in its place": lambda path: (shutil.rmtree(path.parent), path.parent.touch()),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_result_is_made_again(runner: Runner, how: str) -> None:
    assert runner.run(TRACKS[:2]) == ["a", "b"]
    whole = (runner.root / "out").read_bytes()
    DAMAGE[how](next((runner.root / ".cache/tracks/toy").glob("*/result.npy")))
    result = runner.start(TRACKS[:2])
    assert result.returncode == 0, result.stderr
    assert "toy: 1 result in" in result.stdout and "damaged: made again" in result.stdout
    assert len(runner.calls()) == 1
    assert (runner.root / "out").read_bytes() == whole
    assert runner.run(TRACKS[:2]) == []


@pytest.mark.parametrize(
    ("how", "tries", "words"), [("crash", 2, "crashed its process (SIGSEGV)"), ("hang", 1, "took")]
)
def test_a_track_that_crashes_or_hangs_takes_no_other_along(
    runner: Runner, how: str, tries: int, words: str
) -> None:
    params = (runner.root / "params.yaml").read_text()
    runner.project.write("params.yaml", params.replace("track_seconds: 60", "track_seconds: 4"))
    (runner.root / how).write_text("b")
    result = runner.start(TRACKS, reject=True)
    assert result.returncode == 0, result.stderr
    assert runner.calls() == sorted(["a", *["b"] * tries, "c"])
    assert f"track b {words}" in result.stdout
    sums = json.loads((runner.root / "out").read_text())
    assert sums["b"] not in (sums["a"], sums["c"])
    result = runner.start(TRACKS)
    assert result.returncode == 1 and f"toy: track b {words}" in result.stderr, "not from the cache"
    (runner.root / how).unlink()
    assert runner.run() == ["b"], "what the others made is kept"


def test_an_edit_during_the_run_never_enters_the_cache(runner: Runner) -> None:
    edit = "    with open('src/band/work.py', 'a') as file: file.write('# edited')\n"
    runner.project.write("src/band/work.py", WORK + edit)
    result = runner.start(TRACKS[:1])
    assert (
        result.returncode == 1 and "src/band/work.py changed while the stage ran" in result.stderr
    )
    assert runner.cached() == []


def test_an_edit_of_code_that_the_work_cannot_reach_costs_no_work(runner: Runner) -> None:
    runner.project.write("src/band/other.py", "VALUE = 1\n")
    runner.run()
    runner.project.write("src/band/other.py", "VALUE = 2\n")
    assert runner.run() == []
    runner.project.write("src/band/work.py", "import band.other\n" + WORK)
    assert runner.run() == ["a", "b", "c"]
    runner.project.write("src/band/other.py", "VALUE = 3\n")
    assert runner.run() == ["a", "b", "c"]


def test_an_exception_ends_the_stage_and_leaves_no_folder_of_that_track(runner: Runner) -> None:
    (runner.root / "raise").write_text("b")
    result = runner.start(TRACKS)
    assert result.returncode == 1 and "a bug in the work" in result.stderr
    assert len(runner.cached()) == 1 and not any(".tmp" in name for name in runner.cached())
    assert not (runner.root / "out").exists()
    (runner.root / "raise").unlink()
    assert runner.run() == ["b", "c"]


def test_one_and_two_workers_give_the_same_bytes(runner: Runner) -> None:
    params = (runner.root / "params.yaml").read_text()
    runner.project.write("params.yaml", params.replace("threads: 1", "threads: 2"))
    runner.run()
    alone = (runner.root / "out").read_bytes()
    (runner.root / ".cache").rename(runner.root / "old-cache")
    runner.project.write("params.yaml", params.replace("workers: 1", "workers: 2"))
    assert runner.run() == ["a", "b", "c"]
    assert (runner.root / "out").read_bytes() == alone


def test_an_experiments_run_shares_the_cache_of_the_main_workspace(runner: Runner) -> None:
    runner.project.environment["DVC_ROOT"] = str(runner.root / "elsewhere")
    runner.run(TRACKS[:1])
    assert runner.cached() == []
    assert len(list((runner.root / "elsewhere/.cache/tracks/toy").iterdir())) == 1
