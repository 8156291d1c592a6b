"""`melodygan prune`, on real folders, with real locks and processes."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from melodygan.commands.prune import prune
from melodygan.pipeline.usage import shared

DAY = 86400
FOREVER = 1000 * DAY
HUGE = 10**12


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def make(folder: str, age: float, size: int = 100) -> Path:
    """A folder of one file, last used `age` seconds ago."""
    path = Path(folder)
    path.mkdir(parents=True)
    (path / "data").write_bytes(b"x" * size)
    for item in (path / "data", path):
        os.utime(item, (time.time() - age,) * 2)
    return path


@contextmanager
def process(folder: Path) -> Iterator[None]:
    """Another process that works in `folder`."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()  # it has started
        yield
        running.communicate(b"\n")


def test_the_longest_unused_results_go_until_the_rest_fits() -> None:
    folders = [make(f".cache/tracks/separate/{age}", age * DAY) for age in (1, 2, 3, 4)]
    assert prune(250, FOREVER) == 200
    assert [folder.exists() for folder in folders] == [True, True, False, False]


def test_results_unused_for_too_long_go_even_where_there_is_room() -> None:
    old, new = make(".cache/tracks/a/old", 31 * DAY), make(".cache/tracks/a/new", 29 * DAY)
    assert prune(HUGE, 30 * DAY) == 100
    assert (old.exists(), new.exists()) == (False, True)


def test_results_of_a_running_stage_stay(root: Path) -> None:
    needed = make(".cache/tracks/features/a", 5 * DAY)
    other = make(".cache/tracks/separate/b", 5 * DAY)
    stale = make(".cache/tracks/features/x.123.tmp", 5 * DAY)  # of a track that takes days
    with shared(root / ".cache/tracks/features"):
        prune(0, 0)
    assert (needed.exists(), stale.exists(), other.exists()) == (True, True, False)
    prune(0, 0)
    assert not needed.exists() and not stale.exists()


def test_temporary_folders_go_only_when_a_day_old() -> None:
    old = make(".cache/tracks/a/x.123.tmp", 1.1 * DAY)
    new = make(".cache/tracks/a/y.124.tmp", 0.9 * DAY)
    prune(0, 0)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_checkpoint_goes_unless_it_is_young_or_a_process_trains_into_it() -> None:
    old, young, held = (
        make(f".cache/checkpoints/vqvae/{name}", age * DAY)
        for name, age in (("old", 40), ("young", 20), ("held", 40))
    )
    for folder in (old, held):
        (folder / "lock").touch()
        for item in (folder / "lock", folder):
            os.utime(item, (time.time() - 40 * DAY,) * 2)
    with (held / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prune(HUGE, 30 * DAY) == 100
    assert [folder.exists() for folder in (old, young, held)] == [False, True, True]


def test_a_checkpoint_that_its_run_replaces_meanwhile_is_no_hindrance() -> None:
    held = make(".cache/checkpoints/vqvae/held", 40 * DAY)
    (held / "step-000000001.pt").symlink_to("gone")  # listed, but not there when looked at
    old = make(".cache/checkpoints/vqvae/old", 40 * DAY)
    with (held / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prune(HUGE, 30 * DAY) == 100
    assert held.exists() and not old.exists()


def test_a_finished_run_goes_however_young_unless_a_process_works_in_it() -> None:
    done, held = (make(f".cache/checkpoints/vqvae/{name}", 0) for name in ("done", "held"))
    for folder in (done, held):
        (folder / "finished").touch()
    with (held / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prune(HUGE, FOREVER) == 100
    assert (done.exists(), held.exists()) == (False, True)


def test_leaked_experiments_go_but_not_those_at_work() -> None:
    leaked = make(".dvc/tmp/exps/standalone/tmpdead", 2 * DAY)
    queued = make(".dvc/tmp/exps/tmpqueued", 2 * DAY)
    young = make(".dvc/tmp/exps/standalone/tmpyoung", 0.5 * DAY)
    busy = make(".dvc/tmp/exps/standalone/tmpbusy", 2 * DAY)
    other = make(".dvc/tmp/exps/celery", 2 * DAY)
    with process(busy):
        assert prune(HUGE, FOREVER) == 200
    assert not leaked.exists()
    assert not queued.exists()
    assert all(folder.exists() for folder in (young, busy, other))


def test_files_that_others_left_among_the_folders_are_no_hindrance() -> None:
    old = [make(f".cache/{place}/x", 40 * DAY) for place in ("tracks/a", "checkpoints/vqvae")]
    for folder in old:
        for name in (".DS_Store", "of-an-editor.tmp"):
            file = folder.parent / name
            file.touch()
            os.utime(file, (0, 0))
    assert prune(0, DAY) == 200
    assert not any(folder.exists() for folder in old)


def test_nothing_to_prune_is_no_error() -> None:
    assert prune(0, 0) == 0
