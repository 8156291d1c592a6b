"""Is what Python compiled kept, so that processes start fast? A finding of `melodygan doctor`."""

import os
import sys
from collections.abc import Iterable
from importlib.util import cache_from_source, find_spec
from pathlib import Path

LIBRARIES = ("dvc", "torch", "librosa")  # the large ones, which dvc and the stages import


def slow_starts(libraries: Iterable[str] = LIBRARIES) -> str | None:
    """Why libraries are compiled again at every start, and the remedy; None where they are not.

    Stages themselves keep bytecode whatever PYTHONDONTWRITEBYTECODE says (pipeline/process.py);
    dvc, the tests and the other commands do as it says.
    """
    missing = [name for name in libraries if (file := _bytecode(name)) and not file.exists()]
    if not missing:
        return None
    names = ", ".join(missing)
    remedy = "`uv sync --compile-bytecode`, once"
    if sys.dont_write_bytecode:
        return f"{names}: compiled at every start (PYTHONDONTWRITEBYTECODE is set): {remedy}"
    if not all(os.access(_source(name).parent, os.W_OK) for name in missing):
        return f"{names}: compiled at every start (its folder is read-only): {remedy} as its owner"
    return None  # the next start writes it


def _source(name: str) -> Path:
    spec = find_spec(name)
    return Path(spec.origin if spec and spec.origin else name)


def _bytecode(name: str) -> Path | None:
    """Where a package's bytecode lies or would lie; None for what is not installed as source."""
    source = _source(name)
    return Path(cache_from_source(str(source))) if source.suffix == ".py" else None
