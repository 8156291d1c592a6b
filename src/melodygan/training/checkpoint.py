"""Checkpoints in the side cache: whole or not at all, one writer, and the last of a finished run.

A checkpoint carries a seal: the digest of its contents' checksums and of the run's fingerprint. So
a file that was damaged, changed, or made by another run is told from our own before it is used.
"""

import hashlib
import os
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any, Self

import torch

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import remove
from melodygan.pipeline.runtime import cache_root
from melodygan.pipeline.usage import FINISHED, LOCK, hold
from melodygan.training.processes import Processes

_KEPT = 2  # finished runs of a stage; docs/adr/0010-finished-runs-are-kept.md
_SEAL = "archive/melodygan"  # all that torch reads lies in `archive/`


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
        lock = hold(self.folder)
        if lock is None:
            raise UserError(
                f"another process is training into {self.folder}: wait for it, or stop it"
            )
        self._lock = lock
        os.utime(self.folder / LOCK)  # `melodygan prune` asks for the last use
        return self

    def __exit__(self, *_: object) -> None:
        if self.processes.first:
            self._lock.close()

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the checkpoint of `step`, then drop all but the newest two."""
        remove(self.folder / FINISHED)  # it goes on, to more steps
        temporary = self.folder / "writing.tmp"
        remove(temporary)
        with temporary.open("wb") as file:
            torch.save(state, file)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(zipfile.ZipInfo(_SEAL), self._seal(archive))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut may leave the name without the bytes
        temporary.replace(self.folder / f"step-{step:09d}.pt")
        for old in self._files()[:-2]:
            remove(old)

    def load(self, steps: int) -> dict[str, Any] | None:
        """The newest sound checkpoint of at most `steps` steps, on the CPU, or None.

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
            if _step(path) > steps:
                continue  # of a run that was to be longer
            try:
                return self._read(path)
            except (
                zipfile.BadZipFile, RuntimeError, OSError, EOFError, ValueError, KeyError,
                NotImplementedError, pickle.UnpicklingError,
            ) as error:  # fmt: skip
                reason = str(error).strip().splitlines() or [type(error).__name__]
                print(
                    f"checkpoint {path.name} is not usable ({reason[0]}): trying an older one, "
                    "else starting afresh"
                )
                remove(path)  # else it would count as one of the newest two
        return None

    def _read(self, path: Path) -> dict[str, Any]:
        with zipfile.ZipFile(path) as archive:  # torch itself does not look at checksums
            if broken := archive.testzip():
                raise zipfile.BadZipFile(f"wrong checksum of {broken}")
            if _SEAL not in archive.namelist() or archive.read(_SEAL) != self._seal(archive):
                raise ValueError("changed after this run wrote it, or of another run")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state.get("step") != _step(path):
            raise ValueError(f"of step {state.get('step')}, whatever its name says")
        return state

    def _seal(self, archive: zipfile.ZipFile) -> bytes:
        """Digest of whose run it is and of the parts' names, sizes and checksums."""
        parts = [
            (part.filename, part.file_size, part.CRC)
            for part in archive.infolist()
            if part.filename != _SEAL
        ]
        return hashlib.sha256(repr((self.folder.name, parts)).encode()).hexdigest().encode()

    def retire(self) -> None:
        """Keep of a run whose results are written what lets it end at once when it is run again.

        DVC runs it again when it was killed before it wrote dvc.lock, and for an edited comment.
        The newest finished runs of the stage stay, older ones go; unfinished ones are not touched.
        """
        for old in self._files()[:-1]:
            remove(old)
        (self.folder / FINISHED).touch()
        # not by the clock alone, which may have been set back: this run is the newest
        marks = [m for m in self.folder.parent.glob(f"*/{FINISHED}") if m.parent != self.folder]
        marks.sort(key=lambda mark: mark.stat().st_mtime_ns, reverse=True)
        for mark in marks[_KEPT - 1 :]:
            if lock := hold(mark.parent):
                with lock:
                    shutil.rmtree(mark.parent)

    def _files(self) -> list[Path]:
        """Checkpoints by step; what has another kind of name is not ours."""
        return sorted(self.folder.glob(f"step-{'[0-9]' * 9}.pt"))


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
