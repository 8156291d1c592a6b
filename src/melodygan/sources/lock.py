"""`melodygan lock`: data/sources.yaml resolved into data/sources.lock.yaml.

It stands outside the pipeline because what is behind an address changes while nothing in the
repository does. The lock names every track with the hash of its bytes; `dvc repro` then gets the
same tracks on every machine, or says which one is no longer the same.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load
from melodygan.sources.config import UrlSource, read_sources, sources_digest
from melodygan.sources.lockfile import Lock, read_lock, write_lock
from melodygan.sources.resolver import Resolver
from melodygan.sources.store import room, sweep
from melodygan.sources.transfers import DownloadParams, together
from melodygan.sources.ytdlp import Patience

_WRITING = 60.0  # s; writing a lock file takes far less


@dataclass(frozen=True)
class LockSummary:
    """Numbers of tracks; `left_out` counts what a source has, but the lock has not."""

    total: int
    added: int
    removed: int
    left_out: int

    def __str__(self) -> str:
        return (
            f"{self.total} tracks locked ({self.added} new, {self.removed} removed, "
            f"{self.left_out} left out)"
        )


def lock(
    sources: Path,
    lock_file: Path,
    patience: Patience | None = None,
    params: DownloadParams | None = None,
) -> LockSummary:
    """Resolve `sources` into `lock_file`, downloading only what the old lock file does not have.

    Prints a line for each download and for whatever is left out. Tracks that the old lock file
    has keep their ids and ordinals. params: by default ./params.yaml's. Raises UserError, leaving
    the old lock file as it was, when the sources are not valid or one of them yields nothing;
    the others' downloads are kept for the next time.
    """
    entries = read_sources(sources)
    old = read_lock(lock_file) if lock_file.exists() else None
    if old and not old.whole:
        print(
            f"lock: {lock_file} is not as it was written (edited, merged or cut short): a track "
            "that it lacks counts as new, which may change its split",
            flush=True,
        )
    resolver = Resolver(old, patience or Patience(), params or load(DownloadParams, "download"))
    sweep()
    _remove_strays(lock_file)
    with room(lock_file):
        resolver.download([source for source in entries if isinstance(source, UrlSource)])
        failures = []
        for number, source in enumerate(entries, 1):
            try:
                resolver.resolve(source, f"{sources}, entry {number}")
            except UserError as error:
                failures.append(error)
        if failures:
            raise together(failures, f"of {len(entries)} sources cannot be locked")
        resolver.report_copies()
        write_lock(lock_file, Lock(sources_digest(entries), resolver.next_ordinal, resolver.tracks))
    resolver.close()
    added, removed = resolver.differences()
    return LockSummary(len(resolver.tracks), added, removed, resolver.left_out)


def _remove_strays(lock_file: Path) -> None:
    """Remove the temporary files of runs that were killed while they wrote the lock file."""
    for stray in lock_file.parent.glob(f"{lock_file.name}.*.tmp"):
        if time.time() - stray.stat().st_mtime > _WRITING:
            stray.unlink(missing_ok=True)
