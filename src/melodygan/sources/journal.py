"""What an unfinished `melodygan lock` has downloaded, so that a killed one goes on where it was."""

import json
import threading
from pathlib import Path
from typing import Any

from melodygan.pipeline.files import digest
from melodygan.sources.lockfile import Identity
from melodygan.sources.store import room, store_root


class Journal:
    """Facts about downloads by identity, one JSON line each, until the lock file has them."""

    def __init__(self) -> None:
        self._path: Path = store_root() / "unfinished-lock.jsonl"
        self._lock = threading.Lock()
        self._facts: dict[Identity, dict[str, Any]] = {}
        if self._path.exists():
            for line in self._path.read_bytes().splitlines():
                try:
                    key, facts, checksum = json.loads(line)
                except (ValueError, TypeError, RecursionError):
                    continue  # blank, cut by a kill or a full disk, or of another version
                if digest([key, facts]) == checksum:
                    self._facts[tuple(key)] = facts

    def get(self, identity: Identity) -> dict[str, Any] | None:
        """What `add` was given for that track, or None."""
        return self._facts.get(identity)

    def add(self, identity: Identity, facts: dict[str, Any]) -> None:
        """Note a finished download; it counts from now on, whatever happens to this process."""
        # begins a line of its own, since the one before may have been cut
        told = [identity, facts]
        line = b"\n" + json.dumps([*told, digest(told)]).encode() + b"\n"
        with self._lock:
            with room(self._path), self._path.open("ab") as file:
                file.write(line)
            self._facts[identity] = facts

    def close(self) -> None:
        """Forget everything: the lock file is written."""
        self._path.unlink(missing_ok=True)
