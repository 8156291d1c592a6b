"""The whole pipeline, disturbed at random moments in every way, ends as if nothing had been.

It runs in a clone of that of tests/whole, with other settings of the machine, from nothing; so the
last run, and each after four disturbances, also is a cold run elsewhere. Three disturbances by
default. For a hundred (an hour or more):

    MELODYGAN_KILLS=100 uv run pytest -n 0 -s tests/faults/test_kills.py

MELODYGAN_SEED chooses other moments.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml

KILLS = int(os.environ.get("MELODYGAN_KILLS", "3"))
SEED = int(os.environ.get("MELODYGAN_SEED", "0"))
ENDS = 10.0  # s within which everything must have ended
COMMANDS = (("dvc", "repro"), ("melodygan", "repro", "-j", "2"))
Project = Any  # of tests/whole/conftest.py


def whole() -> Any:
    """The module with the real pipeline on tiny parameters."""
    place = Path(__file__).parents[1] / "whole/conftest.py"
    spec = importlib.util.spec_from_file_location("whole_conftest", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def elsewhere(first: Project, folder: Path) -> Project:
    """A clone of `first` with other settings of the machine; nothing has run in it.

    The threads of a training process are all that may change its last bits.
    """
    clone = type(first)(folder)
    first.run("git", "clone", "-q", str(first.root), str(folder))
    clone.set({"runtime": {"workers": 1, "loaders": 0, "checkpoint_seconds": 0}})
    return clone


def recorded(project: Project) -> Any:
    """dvc.lock without the order of its entries, which is that in which stages ended."""
    return yaml.safe_load((project.root / "dvc.lock").read_text())


def processes(project: Project, word: str = "") -> list[psutil.Process]:
    """Live processes that work in the project and have `word` in their command."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(project.root)
            if (
                inside
                and word in " ".join(process.cmdline())
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def send(number: int, targets: list[psutil.Process]) -> None:
    for process in targets:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def group(number: int) -> Callable[[Project, Any], None]:
    return lambda project, command: os.killpg(command.pid, number)


def slow_start(project: Project, command: Any) -> None:
    """dvc dies while the stage's Python is still starting, as on a busy machine."""
    stages = processes(project, "stages/")
    send(signal.SIGSTOP, stages)
    send(signal.SIGKILL, processes(project, "dvc"))
    time.sleep(0.3)
    send(signal.SIGCONT, stages)


# what to do with a running command; whether the command may outlive it
WAYS: dict[str, tuple[Callable[[Project, Any], None], bool]] = {
    "kill -9 of the command": (lambda _, command: command.kill(), False),
    "kill of the command": (lambda _, command: command.terminate(), False),
    "kill -9 of all": (group(signal.SIGKILL), False),
    "Ctrl-C": (group(signal.SIGINT), False),
    "the terminal is closed": (group(signal.SIGHUP), False),
    "kill -9 of the stage": (
        lambda project, _: send(signal.SIGKILL, processes(project, "stages/")),
        True,
    ),
    "kill -9 of dvc": (lambda project, _: send(signal.SIGKILL, processes(project, "dvc")), True),
    "kill -9 of a worker": (
        lambda project, _: send(signal.SIGKILL, processes(project, "pipeline.child")),
        True,
    ),
    "kill -9 of dvc before the stage has started": (slow_start, True),
    "kill -9 of all, and rwlock and dvc.lock are emptied": (
        lambda project, command: (
            os.killpg(command.pid, signal.SIGKILL),
            time.sleep(1),
            [
                path.write_bytes(b"")
                for path in (project.root / ".dvc/tmp/rwlock", project.root / "dvc.lock")
                if path.exists()
            ],
        ),
        False,
    ),
}


def disturb(project: Project, rng: np.random.Generator, seconds: float) -> str:
    """Start a command, disturb it at some moment, and hold it to its promises; say what it was."""
    way = str(rng.choice(list(WAYS)))
    command = COMMANDS[int(rng.integers(len(COMMANDS)))]
    shell, delay = str(rng.choice(["/bin/sh", "/bin/bash"])), float(rng.uniform(0, seconds))
    what = f"{way}, {delay:.2f} s after the start of `{' '.join(command)}` under {shell}"
    os.environ["SHELL"] = shell
    running = project.start(*command)
    with suppress(subprocess.TimeoutExpired):
        running.wait(delay)
    if running.poll() is None:
        act, goes_on = WAYS[way]
        act(project, running)
        if goes_on:
            running.communicate(timeout=600)
    said = running.communicate(timeout=ENDS)[0] if way != "kill -9 of the command" else ""
    assert way != "Ctrl-C" or "Traceback" not in said, f"{what}:\n{said}"
    deadline = time.monotonic() + ENDS
    while left := processes(project):
        assert time.monotonic() < deadline, f"{what}: {[p.cmdline() for p in left]} run on"
        time.sleep(0.1)
    return what


def start_afresh(project: Project) -> None:
    for path in (".cache", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(project.root / path, ignore_errors=True)
    (project.root / "dvc.lock").unlink(missing_ok=True)


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C and a closed terminal end commands, also where the tests run in the background."""
    numbers = (signal.SIGINT, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.usefixtures("heeded")
@pytest.mark.timeout(900 if KILLS <= 3 else 0)
def test_a_cold_run_elsewhere_that_is_disturbed_at_random_moments_gives_the_same_bytes(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    first, seconds = whole().first_run(tmp_path_factory)
    project = elsewhere(first, tmp_path / "disturbed")
    undisturbed = recorded(project)
    start_afresh(project)
    rng = np.random.default_rng(SEED)
    history: list[str] = []
    for number in range(KILLS):
        history.append(disturb(project, rng, seconds / 2))
        print(f"{number + 1}: {history[-1]}", flush=True)
        if number % 4 == 3 or number == KILLS - 1:
            finish = project.start("dvc", "repro")
            said, _ = finish.communicate()
            assert finish.returncode == 0, "\n".join([*history, said[-3000:]])
            assert recorded(project) == undisturbed, "\n".join(history)
            start_afresh(project)


def test_a_state_file_that_a_kill_emptied_needs_no_person(tmp_path: Path) -> None:
    """Plain `dvc`, as it stands in the environment, for each way in which such a file can break."""
    root = tmp_path / "toy"
    root.mkdir()

    def dvc(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["dvc", *arguments], cwd=root, capture_output=True, text=True)

    assert dvc("init", "--no-scm").returncode == 0
    (root / "dvc.yaml").write_text("stages: {a: {cmd: echo 1 > a.txt, outs: [a.txt]}}")
    assert dvc("repro").returncode == 0
    good = (root / "dvc.lock").read_bytes()
    for name in (".dvc/tmp/rwlock", "dvc.lock"):
        for damage in (b"", b"\0" * 50, b"schema: 1\nstages: {a: 7}"):
            (root / name).write_bytes(damage)
            result = dvc("repro")
            assert result.returncode == 0, f"{name} {damage!r}: {result.stderr}"
            assert (root / "dvc.lock").read_bytes() == good
            told = f"melodygan: {name} was damaged, now .dvc/tmp/{Path(name).name}.damaged"
            assert told in result.stderr and "Traceback" not in result.stderr
