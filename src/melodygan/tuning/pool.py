"""Child processes that train, one run each at a time."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from multiprocessing.connection import wait
from pathlib import Path

from melodygan.pipeline.process import stage_environment
from melodygan.tuning.jobs import Failed, Job, Message

_QUOTED = 5  # lines of what a child said before it died


class Child:
    """One process; it ends with this one. What it prints is kept for when it dies."""

    def __init__(self, stage: str, base: str) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self.pipe, theirs = multiprocessing.Pipe()
        with theirs:
            numbers = (theirs.fileno(), os.getpid())
            self._process = subprocess.Popen(
                [sys.executable, "-m", "melodygan.tuning.worker", *map(str, numbers)],
                env=stage_environment(Path.cwd()),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                process_group=0,  # Ctrl-C is for the supervisor, who decides
            )
        self.pipe.send((stage, base))

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def end(self) -> str:
        """Why it ended without an answer, with the last that it said."""
        status = self._process.wait()
        why = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()[-_QUOTED:]
        return f"its process died ({why})" + (f": {' | '.join(lines)}" if lines else "")

    def dismiss(self) -> None:
        """Let it clear up what its last run has left, and end."""
        try:
            self.pipe.send(None)
            self._process.wait(10)
        except (ConnectionError, subprocess.TimeoutExpired):
            return  # it is killed then

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self.pipe.close()
        self._said.close()


class Pool:
    """Up to `count` children of one stage, started when they are needed.

    base: fingerprint of code and inputs that they must find.
    """

    def __init__(self, stage: str, base: str, count: int) -> None:
        self.stage, self.base, self.count = stage, base, count
        self.children: dict[int, Child] = {}  # by slot
        self.busy: dict[int, Job] = {}

    def idle(self) -> list[int]:
        """Slots that could take a job."""
        return [slot for slot in range(self.count) if slot not in self.busy]

    def start(self, slot: int, job: Job) -> None:
        """Give a job to an idle slot."""
        if slot not in self.children:
            self.children[slot] = Child(self.stage, self.base)
        self.busy[slot] = job
        try:
            self.children[slot].pipe.send(job)
        except (BrokenPipeError, ConnectionError):
            return  # it died while it was idle, which `hear` finds out

    def hear(self, seconds: float) -> list[tuple[int, Message]]:
        """What children said within `seconds`, by slot; a dead one's last word is a lost Failed."""
        pipes = {self.children[slot].pipe: slot for slot in self.busy}
        heard: list[tuple[int, Message]] = []
        for pipe in wait(list(pipes), seconds):
            slot = pipes[pipe]  # type: ignore[index]
            child = self.children[slot]
            try:
                heard.append((slot, child.pipe.recv()))
            except (EOFError, ConnectionError):
                heard.append((slot, Failed(child.end(), lost=True)))
                self.stop(slot)
        return heard

    def answer(self, slot: int, reason: str) -> None:
        """Let a run that waits after a validation go on, or end it for a reason."""
        try:
            self.children[slot].pipe.send(reason)
        except (BrokenPipeError, ConnectionError):
            return  # as in `start`

    def free(self, slot: int) -> None:
        """The slot's job is over, and what came of it is written down."""
        self.busy.pop(slot, None)

    def stop(self, slot: int) -> None:
        """End a slot's process; the next job starts a new one."""
        self.children.pop(slot).close()
        self.free(slot)

    def close(self) -> None:
        """Let idle children clear up; end all."""
        for slot, child in self.children.items():
            if slot not in self.busy:
                child.dismiss()
            child.close()
        self.children.clear()
        self.busy.clear()
