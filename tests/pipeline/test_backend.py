"""Per-track work on a real Dask cluster of two worker processes, one of which is killed."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import pytest

from melodygan.pipeline import backend
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime

Project = Any  # the fixture's class, in conftest.py

WORK = """
import os
import signal
import time
from pathlib import Path

import numpy as np


def work(folder, track, seconds):
    Path(f"started-{track}").touch()
    time.sleep(seconds)
    if Path("poison").exists() and Path("poison").read_text() == track:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    rng = np.random.default_rng(int(track))
    product = rng.standard_normal((300, 200)) @ rng.standard_normal((200, 300))
    np.save(folder / "result.npy", product)
"""

MAIN = """
import json
from melodygan.pipeline import backend
from melodygan.pipeline.tracks import Job, map_tracks
from band.work import work
for name, patience in json.loads(Path("patience").read_text()).items():
    setattr(backend, name, patience)
seconds = float(Path("seconds").read_text())
jobs = [Job(str(n), str(n), (str(n), seconds)) for n in range(8)]

def reject(folder, reason):
    (folder / "result.npy").write_text("rejected")

folders = map_tracks(stage, jobs, work, {}, reject)
results = [folders[job.track] / "result.npy" for job in jobs]
Path("out").write_bytes(b"".join(result.read_bytes() for result in results))
"""


@pytest.fixture
def toy(project: Project) -> Project:
    project.write("src/band/work.py", WORK)
    project.main(MAIN)
    project.write("seconds", "0")
    project.write("patience", "{}")
    return project


def use_dask(project: Project, address: str) -> None:
    params = (project.root / "params.yaml").read_text().replace("local", "dask")
    project.write(
        "params.yaml", params.replace("dask_scheduler: none", f"dask_scheduler: {address}")
    )


class Cluster:
    """A scheduler and two workers, started the way a user does, in a folder of their own."""

    def __init__(self, folder: Path, environment: dict[str, str], *options: str) -> None:
        self.folder, self.environment = folder, environment
        folder.mkdir()
        file = folder / "scheduler.json"
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        self.processes = [
            self._start("scheduler", *here, "--port", "0", "--scheduler-file", str(file))
        ]
        wait_for(lambda: file.exists() and file.read_text().endswith("}"), "the scheduler")
        self.address = json.loads(file.read_text())["address"]
        one = ["--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", *options]
        self.processes += [self._start("worker", self.address, *one) for _ in range(2)]

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def close(self) -> None:
        for process in self.processes:
            process.kill()  # a nanny's worker notices, and ends
            process.wait()


@pytest.fixture
def cluster(project: Project, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", project.environment, "--no-nanny")
    log = made.folder / "log"  # a test's patience may be shorter than their start
    wait_for(lambda: log.read_text().count("Registered to:") == 2, "the second worker")
    yield made
    made.close()


def wait_for(condition: Any, what: str) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come in a minute")


def test_a_worker_that_dies_in_mid_run_changes_no_byte(toy: Project, cluster: Cluster) -> None:
    assert toy.python("stages/toy.py").returncode == 0
    here = hashlib.sha256((toy.root / "out").read_bytes()).hexdigest()
    (toy.root / "out").unlink()
    (toy.root / ".cache").rename(toy.root / "old-cache")
    for mark in toy.root.glob("started-*"):
        mark.unlink()
    use_dask(toy, cluster.address)
    toy.write("seconds", "0.5")
    stage = toy.start("stages/toy.py")
    wait_for(lambda: len(list(toy.root.glob("started-*"))) >= 3, "the third track")
    cluster.processes[-1].kill()
    _, errors = stage.communicate(timeout=120)
    assert stage.returncode == 0, errors
    assert hashlib.sha256((toy.root / "out").read_bytes()).hexdigest() == here
    left = [path.name for path in (toy.root / ".cache/tracks/toy").iterdir()]
    assert len([name for name in left if not name.endswith(".tmp")]) == 8


def test_a_track_that_kills_its_worker_each_time_is_rejected_and_the_others_are_done(
    toy: Project, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path / "cluster", toy.environment)  # nannies start new workers
    try:
        use_dask(toy, cluster.address)
        toy.write("poison", "3")
        result = toy.python("stages/toy.py")
    finally:
        cluster.close()
    assert result.returncode == 0, result.stderr
    assert "toy: track 3 took its Dask worker along" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert (toy.root / "out").read_bytes().count(b"rejected") == 1
    left = [path.name for path in (toy.root / ".cache/tracks/toy").iterdir()]
    assert len([name for name in left if "." not in name]) == 7


@pytest.mark.parametrize("lost", ["workers", "scheduler"])
def test_a_cluster_that_is_lost_in_mid_run_is_one_line(
    toy: Project, cluster: Cluster, lost: str
) -> None:
    use_dask(toy, cluster.address)
    toy.write("seconds", "0.5")
    toy.write("patience", '{"_PATIENCE": 3.0}')
    stage = toy.start("stages/toy.py")
    wait_for(lambda: len(list(toy.root.glob("started-*"))) >= 3, "the third track")
    for process in cluster.processes[1:] if lost == "workers" else cluster.processes[:1]:
        process.kill()
    _, errors = stage.communicate(timeout=120)
    assert stage.returncode == 1
    assert "has no workers" in errors if lost == "workers" else "is lost" in errors
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.parametrize("lost", ["workers", "scheduler"])
def test_a_cluster_that_is_lost_before_it_hands_over_a_result_is_one_line(
    cluster: Cluster, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time after the client has heard that a task is done, and before it has the result."""
    heard = backend._next

    def killing(*arguments: Any) -> list[Any]:
        ended = heard(*arguments)
        for process in cluster.processes[1:] if lost == "workers" else cluster.processes[:1]:
            process.kill()
            process.wait()
        return ended

    monkeypatch.setattr(backend, "_next", killing)
    monkeypatch.setattr(backend, "_PATIENCE", 3.0)
    monkeypatch.setattr(backend, "_GATHER", 0.5)
    runtime = replace(Runtime.read(), backend="dask", dask_scheduler=cluster.address)
    told = "has no workers" if lost == "workers" else "is lost"
    with (
        pytest.raises(UserError, match=told),
        backend.parallel(runtime, 1, lambda task, reason: reason) as run,
    ):
        list(run([joblib.delayed(len)("four")]))


def test_a_cluster_that_does_not_answer_is_one_line(toy: Project) -> None:
    use_dask(toy, "tcp://127.0.0.1:9")
    toy.write("patience", '{"_ANSWER": 1.0}')
    result = toy.python("stages/toy.py")
    assert result.returncode == 1
    assert "runtime.dask_scheduler: no answer from tcp://127.0.0.1:9" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
