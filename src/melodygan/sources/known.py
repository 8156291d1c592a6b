"""What was found out about local files, so that `melodygan lock` reads each of them once."""

import json
import os
import time
from pathlib import Path
from typing import Any

from melodygan.pipeline.files import digest, write_atomic
from melodygan.pipeline.runtime import cache_root

_SETTLED = 2.0  # s; a file changed less than that ago may change again within the clock's tick
Key = tuple[str | int, ...]


class KnownFiles:
    """SHA-256 and length of files by path, good while size, times of change and inode stay.

    Each is noted at once, a line of its own, so that a killed lock does not read it again.
    """

    def __init__(self) -> None:
        self._path = cache_root() / "files.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        self._known = dict(filter(None, map(_parse, lines)))
        self._used: dict[Key, dict[str, Any]] = {}

    def facts(self, path: Path, found: os.stat_result) -> dict[str, Any] | None:
        """What `note` was told of the file, or None if it is new or has changed."""
        return self._known.get(_key(path, found))

    def note(self, path: Path, found: os.stat_result, facts: dict[str, Any]) -> None:
        """Remember `sha256` and `duration`; found: the file's state before they were found out."""
        key = _key(path, found)
        if time.time() - found.st_mtime < _SETTLED:
            return
        self._used[key] = facts
        if key not in self._known:
            self._known[key] = facts
            with self._path.open("ab") as file:
                file.write(_line(key, facts))

    def close(self) -> None:
        """Forget what was not noted since the start."""
        write_atomic(self._path, b"".join(_line(*item) for item in self._used.items()))


def _key(path: Path, found: os.stat_result) -> Key:
    # a program may set the time of modification back, but not that of the inode's change
    return str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _line(key: Key, facts: dict[str, Any]) -> bytes:
    # begins a line of its own, since the one before may have been cut
    told = [*key, facts["sha256"], facts["duration"]]
    return b"\n" + json.dumps([*told, digest(told)]).encode() + b"\n"


def _parse(line: bytes) -> tuple[Key, dict[str, Any]] | None:
    """What `_line` was given; None for anything else: it is read again then."""
    try:
        *told, checksum = json.loads(line)
        path, size, mtime, ctime, inode, sha256, duration = told
    except (ValueError, TypeError, RecursionError):
        return None  # blank, cut by a kill or a full disk, or of another version
    if digest(told) != checksum:
        return None  # a wrong hash would go into the lock, again and again
    return (path, size, mtime, ctime, inode), {"sha256": sha256, "duration": duration}
