"""Bytecode that is checked against its source, so that what runs is what the keys say.

By default Python takes a .pyc for a source of equal size and modification second, as rsync -t,
tar and docker COPY leave them: the old code runs, and is recorded as the new one's result. Python
knows a second kind of .pyc, which carries the source's hash and keeps to it from then on (PEP 552).
"""

import importlib.util
import py_compile
import sys
from pathlib import Path

_CHECKED_HASH = 0b11  # the flags behind the magic number: by hash, and look at the source


def require_checked(folder: Path) -> None:
    """Have all bytecode of the sources below `folder` checked by hash when it is loaded.

    What cannot be compiled loses its bytecode. Raises OSError where bytecode that is not checked
    can be neither replaced nor removed.
    """
    for source in folder.rglob("*.py"):
        cached = Path(importlib.util.cache_from_source(source))
        if _is_checked(cached):
            continue
        if not cached.exists() and sys.dont_write_bytecode:
            continue
        try:
            mode = py_compile.PycInvalidationMode.CHECKED_HASH
            py_compile.compile(str(source), str(cached), doraise=True, invalidation_mode=mode)
        except (py_compile.PyCompileError, OSError):
            cached.unlink(missing_ok=True)


def _is_checked(cached: Path) -> bool:
    try:
        with cached.open("rb") as file:
            head = file.read(8)
    except OSError:
        return False
    return head == importlib.util.MAGIC_NUMBER + _CHECKED_HASH.to_bytes(4, "little")
