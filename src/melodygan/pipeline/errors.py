"""Errors that the user can mend, told in one line."""

import errno
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EROFS)


class UserError(Exception):
    """Something the user can mend: the message says what, where, and the remedy, in one line."""


def mendable(error: OSError) -> UserError | None:
    """The line for a disk that is full or a place that is not writable; None for other errors."""
    where = error.filename or Path.cwd()
    if error.errno in FULL:
        return UserError(
            f"{error.strerror} at {where}: make room (`melodygan prune` and `dvc gc -w` help), "
            "then run it again: what is done stays done"
        )
    if error.errno in _FORBIDDEN:
        return UserError(f"{error.strerror}: {where}: give your user the right to use it")
    return None
