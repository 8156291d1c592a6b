"""What turns a function into a pipeline stage: the checkout's own code, the guard, clean errors."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest
from melodygan.pipeline.guard import CODE_FOLDERS, Guard, file_digest_of_inputs, stage_table

_MARK = "MELODYGAN_STAGE_PROCESS"


class Stage:
    """A running stage: its name, its guard, and the fingerprint that its checkpoints carry."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.guard = Guard(name)
        self._afterwards: list[Callable[[], None]] = []

    def when_done(self, action: Callable[[], None]) -> None:
        """Have `run` call `action` once the outputs are written and the guard agrees to them."""
        self._afterwards.append(action)

    def succeed(self) -> None:
        """End the stage: check the guard, then do what `when_done` was given."""
        self.guard.check()
        for action in self._afterwards:
            action()

    def fingerprint(self, params: Any) -> str:
        """Digest of everything a result may depend on: parameters, input data, and code.

        params: a JSON-able value. The hashes of inputs made by other stages come from dvc.lock,
        which DVC brings up to date before it starts a stage; without DVC the files are read.
        """
        return digest({"params": params, "inputs": self._inputs(), "code": self.guard.code})

    def _inputs(self) -> Mapping[str, str]:
        deps = stage_table(self.name).get("deps", [])
        data = [dep for dep in deps if Path(dep).parts[0] not in CODE_FOLDERS]
        lock = Path("dvc.lock")
        known: dict[str, str] = {}
        if "DVC_STAGE" in os.environ and lock.exists():
            for entry in yaml.safe_load(lock.read_text("utf-8"))["stages"].values():
                known.update({out["path"]: out["md5"] for out in entry.get("outs", [])})
        return {d: known.get(d) or file_digest_of_inputs([Path(d)]) for d in data}


def run(main: Callable[[Stage], None]) -> NoReturn:
    """Run `main` as the stage that DVC named (else: that the script is named after), and exit.

    Import the stage's own modules inside `main`: the guard must hash code before it is loaded.
    """
    name = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem
    try:
        _enter_checkout()
        _die_with_parent()
        stage = Stage(name)
        main(stage)
        stage.succeed()
    except UserError as error:
        sys.stdout.flush()
        sys.exit(f"{name}: {error}")
    sys.exit(0)


def _enter_checkout() -> None:
    """Start again with ./src first on the path and libraries limited to one thread.

    Experiments run in temporary checkouts, while an editable install points at the main one:
    without this they would run the main checkout's code. Thread limits and the hash seed are
    read when libraries load, so they cannot be set later. One thread, since the last bits of a
    matrix product depend on their number: a track's result must be the same in a worker process,
    in this one, and on another machine. Training gives torch more with `start_device`.
    """
    source = str(Path("src").resolve())
    if os.environ.get(_MARK) == source:
        return
    old = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        _MARK: source,
        "PYTHONPATH": source + (os.pathsep + old if old else ""),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it cuBLAS is not deterministic
        # idle threads that spin cost the other core more than they gain when stages share a machine
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def _die_with_parent() -> None:
    """On Linux, ask the kernel to kill this process when DVC dies: no second writer is left."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
