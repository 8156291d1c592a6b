"""Reading and writing small files and folders so that nothing is ever half-written."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import UserError

_BLOCK = 1 << 20  # bytes


@contextmanager
def atomic_dir(target: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `target` when the block ends without an exception.

    A stage that fails or is killed leaves at most `<target>.tmp`, never a half-written target.
    """
    temporary = target.with_name(target.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if target.exists():
        shutil.rmtree(target)
    temporary.rename(target)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a temporary file in the same folder and a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes.

    In ASCII, other letters escaped: DVC takes a metrics file for a binary one, and fails the stage
    that has made it, when more than 30 % of its first 512 bytes are others. Raises ValueError on
    NaN or infinity: they are not JSON and are never a result.
    """
    text = json.dumps(value, sort_keys=True, indent=2, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read one JSON file. Raises UserError naming the file when it is missing or broken."""
    with _one_line(path):
        return json.loads(path.read_text("utf-8"), parse_constant=_refuse)


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write an index table as JSON lines: one object with sorted keys per line."""
    lines = [
        json.dumps(row, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n" for row in rows
    ]
    # a file name that is not UTF-8 arrives with lone surrogates, which UTF-8 cannot carry
    write_atomic(path, "".join(lines).encode("utf-8", "backslashreplace"))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read an index table written by `write_rows`. Raises UserError as `read_json` does."""
    with _one_line(path):
        lines = path.read_text("utf-8").split("\n")
        rows = [json.loads(line, parse_constant=_refuse) for line in lines if line]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("a line is no object")
        return rows


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `dvc repro` to make it") from None
    except (IsADirectoryError, NotADirectoryError):
        raise UserError(f"{path} is no file: delete it and run `dvc repro`") from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply: delete it and run `dvc repro`") from None
    except ValueError as error:  # not JSON, or not even UTF-8
        raise UserError(f"{path} is not JSON ({error}): delete it and run `dvc repro`") from None


@contextmanager
def as_written(place: Path) -> Iterator[None]:
    """Within the block, what is not as one of our stages wrote it is a UserError of one line.

    place: the file or folder that is read. For reading alone: a bug elsewhere must stay a bug.
    """
    try:
        yield
    except (
        AttributeError, EOFError, IndexError, KeyError, MemoryError, OverflowError, TypeError,
        ValueError,
    ) as error:  # fmt: skip
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"{place} is not as its stage wrote it ({reason}): delete it and run `dvc repro`"
        ) from None


def whole(value: Any) -> int:
    """A number of things, or a place, out of such a file. Raises ValueError."""
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(f"{value!r} is no whole number from 0 on")
    return value


def text(value: Any) -> str:
    """A text out of such a file. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb", buffering=0) as file:
        sha256 = hashlib.sha256(file.read(_BLOCK))  # small files, of which there are many, at once
        while block := file.read(_BLOCK):
            sha256.update(block)
        return sha256.hexdigest()


def digest(value: Any) -> str:
    """Hex SHA-256 of a JSON-able value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
