"""A stage ends when the DVC that runs it does, whatever stands between the two.

DVC starts a stage through a shell. Some shells give it their place, others (dash) wait for it and
live on when DVC is killed; a launcher of data-parallel training may come in between too. So a
stage finds DVC among its ancestors and watches all of them up to it.
"""

import json
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.process import die_with_parent

_RWLOCK = Path(".dvc/tmp/rwlock")  # in which DVC notes who writes which output


def end_with_dvc(outs: list[str]) -> None:
    """Have this process killed when DVC, or what it was started through, dies.

    outs: the stage's outputs. Raises UserError if DVC has died before this process came so far.
    A stage that was not started by DVC ends with its parent.
    """
    die_with_parent()
    if "DVC_STAGE" not in os.environ:
        return
    import psutil

    ancestors = psutil.Process().parents()
    if not ancestors:
        return  # the first process of a container, which nothing outlives
    pids = [process.pid for process in ancestors]
    starter = _writer(outs)
    if starter is None:  # no such note: what looks like DVC, else the parent alone
        starter = next((p.pid for p in ancestors if _looks_like_dvc(p)), pids[0])
    if starter not in pids:
        raise UserError("the `dvc` that started this stage is gone: run it again")
    watched = ancestors[: pids.index(starter) + 1]
    threading.Thread(target=_watch, args=(watched,), daemon=True).start()


def _writer(outs: list[str]) -> int | None:
    """The process that DVC notes as writing one of `outs`; None where it notes none."""
    wanted = {str(Path(out).absolute()) for out in outs}
    for _ in range(10):
        try:
            writers = json.loads(_RWLOCK.read_bytes())["write"]
            return next((writers[path]["pid"] for path in wanted & writers.keys()), None)
        except OSError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            time.sleep(0.02)  # another DVC is writing it
    return None


def _looks_like_dvc(process: Any) -> bool:
    import psutil

    try:
        return any(Path(word).name in ("dvc", "melodygan") for word in process.cmdline()[:4])
    except psutil.Error:
        return False


def _watch(processes: list[Any]) -> None:
    """Wait for the first of the processes to end, then end this one."""
    if sys.platform == "linux":
        poll = select.poll()
        try:
            for process in processes:
                poll.register(os.pidfd_open(process.pid), select.POLLIN)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGKILL)
        if all(process.is_running() for process in processes):  # no number was given anew
            poll.poll()
    else:
        while all(process.is_running() for process in processes):
            time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)
