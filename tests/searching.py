"""Searches in processes of their own, for tests that kill some; and without, for the others."""

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from melodygan.cli import main
from melodygan.tuning import pool
from melodygan.tuning.worker import serve

SPACE = {"steps": 24, "lr": {"log": [1e-3, 1e-2]}, "commitment": {"float": [0.1, 1.0]}}


def write_space(**groups: Any) -> None:
    """Write ./tune.yaml."""
    YAML().dump(groups, Path("tune.yaml"))


class ThreadChild:
    """A child of a search as a thread: the same messages and training, without another Python."""

    pid = os.getpid()

    def __init__(self, stage: str, base: str) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self._thread = threading.Thread(target=serve, args=[theirs])
        self._thread.start()
        self.pipe.send((stage, base))

    def dismiss(self) -> None:
        """Let it clear up what its last run has left, and end."""
        self.pipe.send(None)
        self._thread.join()

    def close(self) -> None:
        """End it at its next validation."""
        self.pipe.close()
        self._thread.join()


# forks of one process that has all libraries loaded: a start of Python costs more than a search
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([
    "melodygan.commands.tune", "melodygan.models.vqvae.training", "melodygan.tuning.worker",
])  # fmt: skip


class Command:
    """`melodygan` here, in a process of its own."""

    def __init__(self, arguments: Sequence[str], in_one: bool) -> None:
        self._said = tempfile.NamedTemporaryFile("r")  # noqa: SIM115 - open as long as the process
        chosen = (arguments, in_one, Path.cwd(), self._said.name)
        self.process = FORKS.Process(target=_command, args=chosen)
        self.process.start()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self.process.pid

    def kill(self) -> None:
        """As `kill -9`."""
        self.process.kill()

    def end(self, seconds: float) -> tuple[int | None, str]:
        """Exit status and what it has said, once it has ended."""
        self.process.join(seconds)
        return self.process.exitcode, self._said.read()


def _command(arguments: Sequence[str], in_one: bool, folder: Path, said: str) -> None:
    os.chdir(folder)
    for name in ("DVC_ROOT", "DVC_STAGE"):
        os.environ.pop(name, None)
    with Path(said).open("w") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    if in_one:
        pool.Child = ThreadChild  # type: ignore[assignment, misc]
    sys.exit(main(list(arguments)))


@contextmanager
def start(*arguments: str, in_one: bool = False) -> Iterator[Command]:
    """`melodygan` in a process of its own, which ends with the block at the latest.

    in_one: it trains in the same process.
    """
    command = Command(arguments, in_one)
    try:
        yield command
    finally:
        command.kill()
        command.process.join()


def until(true: Callable[[], bool], seconds: float = 400) -> None:
    """Wait for something that another process brings about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)
