"""What a stage's process needs before libraries load: the checkout's code, and one thread."""

import ctypes
import os
import signal
import sys
from pathlib import Path

from melodygan.pipeline.bytecode import require_checked

MARK = "MELODYGAN_STAGE_PROCESS"


def stage_environment(root: Path) -> dict[str, str]:
    """This process's variables, changed so that a Python process runs the code of the checkout.

    Thread limits and the hash seed are read when libraries load, so they cannot be set later. One
    thread, since the last bits of a matrix product depend on their number: a track's result must
    be the same in a worker process, in this one, and on another machine. Training gives torch
    more with `start_device`.
    """
    source = str((root / "src").resolve())
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != source]
    return os.environ | {
        MARK: source,
        "PYTHONPATH": os.pathsep.join([source, *paths]),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it cuBLAS is not deterministic
        # idle threads that spin cost the other core more than they gain when stages share a machine
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def enter_checkout() -> None:
    """Start this process again with ./src first on the path and libraries limited to one thread.

    Experiments run in temporary checkouts, while an editable install points at the main one:
    without this they would run the main checkout's code.
    """
    root = Path.cwd()
    if os.environ.get(MARK) != str((root / "src").resolve()):
        require_checked(root / "src")
        # an interrupt that comes now waits for the new program's `end_on_interrupt`
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.execve(sys.executable, [sys.executable, *sys.argv], stage_environment(root))
    keep_bytecode()


def keep_bytecode() -> None:
    """From here on write bytecode, also where PYTHONDONTWRITEBYTECODE is set.

    Many containers set it, with which each process compiles torch and all else again, seconds of
    it. The checkout's own is checked against its sources: see `bytecode.py`.
    """
    sys.dont_write_bytecode = False


def end_on_interrupt() -> None:
    """In a stage's process, end at Ctrl-C with one line, whatever is running; elsewhere nothing.

    By default Python waits for threads that wait for tracks. Its worker processes end with it
    (`die_with_parent`), and what is half-written has a temporary name, as after any kill.
    """
    name = os.environ.get("DVC_STAGE")

    def end(*_: object) -> None:
        os.write(2, f"\n{name}: interrupted: run `dvc repro` to go on\n".encode())
        os._exit(130)  # as a shell reports an interrupt

    if name:
        signal.signal(signal.SIGINT, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def die_with_parent(parent: int | None = None) -> None:
    """On Linux, ask the kernel to kill this process when its parent dies: no orphan works on.

    parent: its process id, where it is known. If that one has died before the kernel was asked,
    this process ends at once.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
