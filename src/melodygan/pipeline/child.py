"""One track's work in a process of its own: a decoder that crashes or hangs takes nothing along.

`Child` is the supervisor's side, `main` the child's. Supervisors are threads of the stage, or
tasks on a Dask cluster; both start children the same way: in the checkout's root, with its code,
one thread per library, and with a look at that code before and after each track, so that an edit
during a run never enters the cache under the old code's key.
"""

import importlib
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from melodygan.pipeline.entries import publish, sound
from melodygan.pipeline.errors import UserError, mendable
from melodygan.pipeline.guard import hash_files, loaded_files
from melodygan.pipeline.packages import changed
from melodygan.pipeline.process import die_with_parent, keep_bytecode, stage_environment


class Lost(Exception):
    """A child that ended or was stopped before it had an answer; says why."""


class Late(Lost):
    """One that was given its time."""


@dataclass(frozen=True)
class Spec:
    """What a child is started for.

    root: the checkout. code: file -> SHA-256 of all code that a result may depend on; empty for
    results that are not kept. packages: name -> version of those that this code imports. work:
    module and name of the function. seconds: what a track may take; 0 = for ever.
    """

    root: str
    code: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    work: tuple[str, str]
    seconds: float


class Child:
    """A process that does tracks' work, one after another."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._pipe, theirs = multiprocessing.Pipe()
        with theirs:
            numbers = (theirs.fileno(), os.getpid())
            self._process = subprocess.Popen(
                [sys.executable, "-m", "melodygan.pipeline.child", *map(str, numbers)],
                cwd=spec.root,
                env=stage_environment(Path(spec.root)),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the supervisor, who decides
            )
        self._pipe.send(astuple(spec))  # the class has another name there
        self._ready = False

    def do(self, folder: str, arguments: bytes) -> set[str]:
        """Run work(folder, *arguments); return the repository files that the child has loaded.

        arguments: a pickled tuple. Raises Lost when the child crashes or takes too long, UserError
        for what the user can mend, and RuntimeError with the child's traceback for a bug.
        """
        if not self._ready:
            self._answer(0)  # its imports are not the track's time
            self._ready = True
        with suppress(OSError):  # where nobody listens there is no answer either
            self._pipe.send((folder, arguments))
        return self._answer(self.spec.seconds)

    def alive(self) -> bool:
        """Whether the process still runs: it ends with the thread that started it."""
        return self._process.poll() is None

    def _answer(self, seconds: float) -> set[str]:
        try:
            if not self._pipe.poll(seconds or None):
                raise Late(f"took longer than {seconds:g} s")
            kind, value = self._pipe.recv()
        except (EOFError, OSError):
            raise Lost(f"crashed its process ({_end(self._process)})") from None
        if kind == "user":
            raise UserError(value)
        if kind == "bug":
            raise RuntimeError(f"in a worker process:\n{value}")
        files: set[str] = value
        return files

    def close(self, folder: str | None = None) -> None:
        """End the process, whatever it is doing, and clear away what it had made for `folder`."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        if folder is not None:
            shutil.rmtree(_temporary(Path(folder), self._process.pid), ignore_errors=True)


def _end(process: "subprocess.Popen[bytes]") -> str:
    status = process.wait()
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name


def main(descriptor: int, parent: int) -> None:
    """Answer a supervisor's requests until it hangs up. parent: the supervisor's process id."""
    die_with_parent(parent)
    keep_bytecode()
    with Connection(descriptor) as pipe:
        spec = Spec(*pipe.recv())
        pipe.send(_attempt(lambda: _import(spec)))
        while True:
            try:
                folder, arguments = pipe.recv()
                pipe.send(_attempt(lambda: _once(Path(folder), arguments, spec)))  # noqa: B023
            except (EOFError, ConnectionError):
                return  # the supervisor is gone


def _attempt(action: Callable[[], set[str]]) -> tuple[str, set[str] | str]:
    """The answer to a request: what came of it, or which kind of failure."""
    try:
        return "done", action()
    except Exception as error:
        line = mendable(error)
        return ("user", str(line)) if line else ("bug", traceback.format_exc())


def _import(spec: Spec) -> set[str]:
    _require_unchanged(spec)
    importlib.import_module(spec.work[0])
    return loaded_files()


def _once(folder: Path, arguments: bytes, spec: Spec) -> set[str]:
    """Do the work in a temporary folder that becomes `folder` when all is well."""
    if sound(folder):
        return loaded_files()  # an experiment beside this one, or a lost Dask worker, was faster
    _require_unchanged(spec)
    module, name = spec.work
    function = getattr(sys.modules[module], name)
    temporary = _temporary(folder, os.getpid())
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        function(temporary, *pickle.loads(arguments))
        loaded = loaded_files()
        unknown = sorted(loaded - {file for file, _ in spec.code})
        if spec.code and unknown:
            raise UserError(
                f"imported {', '.join(unknown)} outside its deps: add the folder to the stage's "
                "deps in dvc.yaml (if it is there, import it by a plain import statement)"
            )
        _require_unchanged(spec)
        publish(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return loaded


def _temporary(folder: Path, pid: int) -> Path:
    return folder.with_name(f"{folder.name}.{os.uname().nodename}-{pid}.tmp")


def _require_unchanged(spec: Spec) -> None:
    now = hash_files([Path(file) for file, _ in spec.code])
    other = sorted(file for file, sha256 in spec.code if now.get(file) != sha256)
    if other := other + changed(dict(spec.packages)):
        raise UserError(f"{', '.join(other)} changed while the stage ran: run `dvc repro` again")


def call(spec: Spec, folder: str, arguments: bytes) -> set[str] | Lost:
    """Do one track in an idle or a new child; Lost, not raised, if that took two children along.

    A crash may be the machine's fault (memory, a colleague's kill), so it gets a second try.
    """
    for last in (False, True):
        child = _take(spec)
        try:
            files = child.do(folder, arguments)
        except Lost as lost:
            child.close(folder)
            if last or isinstance(lost, Late):
                return lost
        except BaseException:
            child.close(folder)
            raise
        else:
            _idle.setdefault(spec, []).append(child)
            return files
    raise AssertionError


_idle: dict[Spec, list[Child]] = {}  # list.pop and append are atomic, so threads may share it


def _take(spec: Spec) -> Child:
    try:
        while not (child := _idle[spec].pop()).alive():
            child.close()
        return child
    except (KeyError, IndexError):
        return Child(spec)


def close_all() -> None:
    """End the idle children of this process."""
    while _idle:
        _, children = _idle.popitem()
        for child in children:
            child.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
