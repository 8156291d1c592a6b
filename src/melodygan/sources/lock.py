"""`melodygan lock`: data/sources.yaml resolved into data/sources.lock.yaml.

It stands outside the pipeline because what is behind an address changes while nothing in the
repository does. The lock names every track with the hash of its bytes; `dvc repro` then gets the
same tracks on every machine, or says which one is no longer the same.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from melodygan.audio.decode import AudioError, probe
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import sha256_file
from melodygan.sources.config import (
    UNLABELLED,
    DemoSource,
    FolderSource,
    UrlSource,
    read_sources,
    sources_digest,
)
from melodygan.sources.folder import Found, list_files
from melodygan.sources.journal import Journal
from melodygan.sources.lockfile import Lock, LockedTrack, identity, read_lock, write_lock
from melodygan.sources.naming import clean, extension, track_id
from melodygan.sources.remote import Entry, fetch, list_entries, too_long
from melodygan.sources.ytdlp import Access, FetchError, Patience

DEMO_LICENCE = "CC0-1.0"
# what a download says about itself; the rest of a row comes from sources.yaml
_FACTS = ("track", "title", "id", "url", "item", "suffix", "sha256", "bytes", "duration", "licence")


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


def lock(sources: Path, lock_file: Path, patience: Patience | None = None) -> LockSummary:
    """Resolve `sources` into `lock_file`, downloading only what the old lock file does not have.

    Prints a line for each download and for whatever is left out. Tracks that the old lock file
    has keep their ids and ordinals. Raises UserError, leaving the old lock file as it was, when
    the sources are not valid or one of them yields nothing.
    """
    entries = read_sources(sources)
    resolver = _Resolver(read_lock(lock_file) if lock_file.exists() else None, patience)
    for number, source in enumerate(entries, 1):
        where = f"{sources}, entry {number}"
        if isinstance(source, DemoSource):
            resolver.demo(source)
        elif isinstance(source, FolderSource):
            resolver.folder(source, where)
        else:
            resolver.url(source, where)
    resolver.report_copies()
    write_lock(lock_file, Lock(sources_digest(entries), resolver.next_ordinal, resolver.tracks))
    resolver.journal.close()
    return resolver.summary()


class _Resolver:
    """Collects tracks and gives ordinals: the old one, or else the next of the label."""

    def __init__(self, old: Lock | None, patience: Patience | None) -> None:
        self.patience = patience or Patience()
        self.old = {track.identity: track for track in old.tracks} if old else {}
        self.next_ordinal = dict(old.next_ordinal) if old else {}
        self.tracks: list[LockedTrack] = []
        self.seen: set[object] = set()
        self.offered = 0  # tracks, counting those listed a second time
        self.left_out = 0
        self.journal = Journal()

    def demo(self, source: DemoSource) -> None:
        from melodygan.sources.demo import demo_plan

        for name, label, ordinal in demo_plan(source.demo.tracks):
            track = LockedTrack(
                track=name,
                kind="demo",
                label=label,
                ordinal=0,
                title=name,
                id=str(ordinal),
                duration=source.demo.seconds,
                licence=DEMO_LICENCE,
            )
            self._add(track)

    def folder(self, source: FolderSource, where: str) -> None:
        before = self.offered
        for found in list_files(source.folder, self._leave_out):
            try:
                self._add(self._file(source, found))
            except OSError as error:
                self._leave_out(f"{clean(found.relative)}: {error.strerror}: left out")
        if self.offered == before:
            raise UserError(f"{where}: folder {source.folder} has no files: add some, or remove it")

    def url(self, source: UrlSource, where: str) -> None:
        access = Access(bool(source.allow_private), source.extractors)
        before, reason = self.offered, "it lists no entries"
        try:
            entries = self._entries(source, access)
        except FetchError as error:
            raise UserError(f"{where}: {error}: check the address, or remove the entry") from None
        for number, entry in enumerate(entries, 1):
            try:
                self._add(self._entry(source, access, entry, f"{number} of {len(entries)}"))
            except FetchError as error:
                reason = str(error)
                self._leave_out(f"{reason}: left out")
        if self.offered == before:
            raise UserError(f"{where}: {clean(source.url)} gave no track: {reason}")

    def _file(self, source: FolderSource, found: Found) -> LockedTrack:
        path = (Path(source.folder) / found.relative).as_posix()
        try:
            duration = probe(found.path)
        except AudioError:
            duration = None  # preprocessing rejects it, with this reason in its report
        return LockedTrack(
            track=track_id(Path(path).stem, identity("folder", path)),
            kind="folder",
            label=source.label or found.label,
            ordinal=0,
            title=clean(Path(path).stem),
            path=path,
            suffix=extension(path),
            sha256=sha256_file(found.path),
            bytes=found.path.stat().st_size,
            duration=duration,
            licence=source.licence,
            start=source.start,
            end=source.end,
        )

    def _entries(self, source: UrlSource, access: Access) -> list[Entry]:
        known = self.old.get(identity("url", source.url))
        if known:  # a single file: no need to ask the server, which may be gone by now
            return [Entry(source.url, None, known.id or "", known.title, known.duration)]
        return list_entries(source.url, access, self.patience, source.max_entries)

    def _entry(self, source: UrlSource, access: Access, entry: Entry, position: str) -> LockedTrack:
        key = identity("url", entry.url, entry.item)
        old = self.old.get(key)
        facts = {name: getattr(old, name) for name in _FACTS} if old else self.journal.get(key)
        seconds = facts["duration"] if facts else entry.duration
        if seconds and source.max_minutes and seconds > source.max_minutes * 60:
            raise FetchError(entry.url, too_long(seconds, source.max_minutes))
        if facts is None:
            facts = self._download(source, access, entry)
            self.journal.add(key, facts)
            print(f"lock: {position}: {facts['title']} ({facts['duration']:.0f} s)", flush=True)
        settings: dict[str, Any] = {
            "kind": "url",
            "ordinal": 0,
            "label": source.label or UNLABELLED,
            "licence": source.licence or facts["licence"],
            "start": source.start,
            "end": source.end,
            "allow_private": source.allow_private,
            "extractors": source.extractors,
        }
        return LockedTrack(**facts | settings)

    def _download(self, source: UrlSource, access: Access, entry: Entry) -> dict[str, Any]:
        got = fetch(entry.url, entry.item, access, self.patience, source.max_minutes)
        title = got.title if got.title and entry.title == entry.id else entry.title
        return {
            "track": track_id(title, identity("url", entry.url, entry.item)),
            "title": title,
            "id": got.id,
            "url": entry.url,
            "item": entry.item,
            "suffix": got.suffix,
            "sha256": got.sha256,
            "bytes": got.size,
            "duration": round(got.seconds, 3),
            "licence": got.licence,
        }

    def _add(self, track: LockedTrack) -> None:
        self.offered += 1
        if track.identity in self.seen:
            self._leave_out(f"{track.title}: listed a second time: left out")
            return
        self.seen.add(track.identity)
        old = self.old.get(track.identity)
        if old and old.label == track.label:
            ordinal = old.ordinal
        else:
            ordinal = self.next_ordinal.get(track.label, 0)
            self.next_ordinal[track.label] = ordinal + 1
        self.tracks.append(replace(track, ordinal=ordinal))

    def _leave_out(self, line: str) -> None:
        self.left_out += 1
        print(f"lock: {line}", flush=True)

    def report_copies(self) -> None:
        """Copies may end up in both train and test, where they would flatter every score."""
        first: dict[str, LockedTrack] = {}
        for track in self.tracks:
            if track.sha256:
                other = first.setdefault(track.sha256, track)
                if other is not track:
                    print(f"lock: {track.track} has the same bytes as {other.track}: remove one")

    def summary(self) -> LockSummary:
        keys = {track.identity for track in self.tracks}
        added, removed = len(keys - self.old.keys()), len(self.old.keys() - keys)
        return LockSummary(len(self.tracks), added, removed, self.left_out)
