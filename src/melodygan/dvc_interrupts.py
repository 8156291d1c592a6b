"""One Ctrl-C ends `dvc repro`, at whatever moment it comes.

DVC ignores SIGINT from a stage's start until its process is gone, and leaves it to the stage to
fail. A stage that is done already has nothing left to fail with: its process still gives memory
back to the kernel (after torch, on a busy machine, for 0.2 s), and DVC then starts the next stage.
Between stages KeyboardInterrupt is raised wherever DVC is, also where Python or a library swallows
it. And before DVC has come as far as catching it, it ends in a traceback. `heed` mends all three.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

_ignored: list[int] = []  # interrupts that came while DVC ignored them


def heed() -> None:
    """Have this process, a `dvc` that has not yet begun, end at the first interrupt.

    Does nothing where interrupts are ignored from the start, as in a shell's background.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
        signal.signal = _signal(signal.signal)


def _signal(original: Any) -> Any:
    """What takes the place of signal.signal, by which DVC says from when to when it ignores."""

    def replacement(number: int, handler: Any) -> Any:
        if number == signal.SIGINT and handler == signal.SIG_IGN:
            _ignored.clear()
            return original(number, lambda number, _: _ignored.append(number))
        before = original(number, handler)
        if number == signal.SIGINT and _ignored:
            _ignored.clear()
            _end()
        return before

    return replacement


def _interrupted(number: int, _: FrameType | None) -> None:
    if not hasattr(sys.modules.get("dvc.cli"), "main"):  # nobody catches the exception yet
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    sys.addaudithook(_start_nothing)
    _end()


def _end() -> NoReturn:
    """DVC catches it and says so; what it was making half is no news, such as a progress bar."""
    sys.unraisablehook = lambda _: None
    raise KeyboardInterrupt


def _start_nothing(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to start a stage, should the exception have been swallowed."""
    if event == "subprocess.Popen" and "DVC_STAGE" in (arguments[3] or {}):
        raise KeyboardInterrupt
