"""Which process works on a trial, and whether it still lives, as far as this machine can tell."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import psutil

Owner = dict[str, Any]  # machine, pid, started, and host, a name for the eye


def this_process() -> Owner:
    """Of the process that asks."""
    pid = os.getpid()
    return {"machine": _machine(), "host": platform.node(), "pid": pid, "started": _started(pid)}


def ended(owner: Owner) -> bool | None:
    """Whether that process is over; None where it is another machine's."""
    if owner["machine"] != _machine():
        return None
    return bool(_started(owner["pid"]) != owner["started"])


def _started(pid: int) -> float | None:
    """What tells a process from others that had its number; None where none lives.

    On Linux the ticks since the machine started, which no change of its clock moves.
    """
    if sys.platform == "linux":
        try:
            line = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = line.rpartition(")")[2].split()  # the name before them can be any
        return None if fields[0] == "Z" else float(fields[19])  # Z: nobody has asked for its end
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _machine() -> str:
    """The same for two processes exactly if they can see each other."""
    if sys.platform == "linux":  # containers share a kernel, but not their processes
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    return f"{platform.node()}-{psutil.boot_time():.0f}"
