"""Checkpoints in the side cache: atomic, the last two kept, one writer, gone after success."""

import fcntl
import shutil
import zipfile
from pathlib import Path
from typing import Any, Self

import torch

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import cache_root
from melodygan.training.processes import Processes


class Checkpoints:
    """The checkpoints of one stage with one fingerprint (parameters, inputs, code).

    They lie outside the stage's outputs, which DVC deletes before each run; another fingerprint
    is another folder, so a changed parameter never resumes from the wrong weights. Use as a
    context manager: it holds an exclusive lock that the kernel releases even after kill -9.
    """

    def __init__(self, stage: str, fingerprint: str, processes: Processes | None = None) -> None:
        self.folder = cache_root() / "checkpoints" / stage / fingerprint
        self.processes = processes or Processes()

    def __enter__(self) -> Self:
        if not self.processes.first:
            return self  # the first process holds the lock for all
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another process is training into {self.folder}: wait for it, or stop it"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self.processes.first:
            self._lock.close()

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the checkpoint of `step`, then drop all but the newest two."""
        temporary = self.folder / "writing.tmp"
        with temporary.open("wb") as file:
            torch.save(state, file)
        temporary.replace(self.folder / f"step-{step:09d}.pt")
        for old in self._files()[:-2]:
            old.unlink()

    def load(self, steps: int) -> dict[str, Any] | None:
        """The newest readable checkpoint of at most `steps` steps, on the CPU, or None.

        Loading never runs pickled code. In a data-parallel run all processes read the one that
        the first of them found good, so they need a common file system.
        """
        if not self.processes.first:
            self.processes.wait()
        found = self._newest(steps)
        if self.processes.first:
            self.processes.wait()
        return found

    def _newest(self, steps: int) -> dict[str, Any] | None:
        for path in reversed(self._files()):
            if int(path.stem.removeprefix("step-")) > steps:
                continue  # of a run that was to be longer
            try:
                with zipfile.ZipFile(path) as archive:  # torch itself does not look at checksums
                    if broken := archive.testzip():
                        raise zipfile.BadZipFile(f"wrong checksum of {broken}")
                return torch.load(path, map_location="cpu", weights_only=True)
            except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, ValueError) as error:
                print(f"checkpoint {path.name} is unreadable ({error}): trying an older one")
                path.unlink()  # else it would count as one of the newest two
        return None

    def clear(self) -> None:
        """Remove the folder once the stage's results are safe."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))
