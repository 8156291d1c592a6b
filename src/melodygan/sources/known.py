"""What was found out about local files, so that `melodygan lock` reads each of them once."""

import os
import time
from pathlib import Path
from typing import Any

from melodygan.pipeline.files import read_rows, write_rows
from melodygan.pipeline.runtime import cache_root

_SETTLED = 2.0  # s; a file changed less than that ago may change again within the clock's tick


class KnownFiles:
    """Facts about files by path, good as long as size, time of change and inode stay the same."""

    def __init__(self) -> None:
        self._path = cache_root() / "files.jsonl"
        rows = read_rows(self._path) if self._path.exists() else []
        self._old = {(row["path"], *row["state"]): row for row in rows}
        self._new: list[dict[str, Any]] = []

    def facts(self, path: Path, found: os.stat_result) -> dict[str, Any] | None:
        """What `note` was told of the file, or None if it is new or has changed."""
        row = self._old.get(_key(path, found))
        if row is not None:
            self._new.append(row)
        return None if row is None else row["facts"]

    def note(self, path: Path, found: os.stat_result, facts: dict[str, Any]) -> None:
        """Remember facts; found: the file's state before they were found out."""
        if time.time() - found.st_mtime > _SETTLED:
            name, *state = _key(path, found)
            self._new.append({"path": name, "state": state, "facts": facts})

    def write(self) -> None:
        """Keep what was asked for or noted since the start, and forget the rest."""
        write_rows(self._path, self._new)


def _key(path: Path, found: os.stat_result) -> tuple[Any, ...]:
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino
