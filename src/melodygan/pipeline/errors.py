"""Errors that the user can mend, told in one line."""

import errno
import os
import re
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EROFS)
# how numpy, torch, safetensors and libsndfile tell of a full disk, without the system's number
_FULL_TOLD = re.compile(
    r"\d+ requested and \d+ written$|unexpected pos \d+ vs \d+"
    r"|\(os error (?:27|28|122)\)|^System error\.$"
)


class UserError(Exception):
    """Something the user can mend: the message says what, where, and the remedy, in one line."""


def mendable(error: Exception) -> UserError | None:
    """The line for a disk that is full or a place that is not writable; None for other errors."""
    if isinstance(error, UserError):
        return error
    number, where = None, None
    if isinstance(error, OSError):
        number, where = error.errno, error.filename
    if number in FULL or (number is None and _FULL_TOLD.search(str(error))):
        reason = f"{os.strerror(number or errno.ENOSPC)} at {where or Path.cwd()}"
        return UserError(
            f"{reason}: make room (`melodygan prune` and `dvc gc -w` help), then run it again: "
            "what is done stays done"
        )
    if number in _FORBIDDEN:
        reason = f"{os.strerror(number)}: {where or Path.cwd()}"
        return UserError(f"{reason}: give your user the right to use it")
    return None
