"""What the sources stand for at this moment: tracks, each with its place within its label.

Folders are listed and read, addresses are listed and downloaded, many at once, and the demo's
tracks are planned; whatever the old lock file, the journal of an interrupted run or the list of
known files already has is not done again.
"""

import threading
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from melodygan.audio.decode import AudioError
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import sha256_file
from melodygan.pipeline.names import clean
from melodygan.sources.config import DemoSource, FolderSource, Source, UrlSource
from melodygan.sources.folder import Found, list_files
from melodygan.sources.journal import Journal
from melodygan.sources.known import KnownFiles
from melodygan.sources.lockfile import Identity, Lock, LockedTrack, identity
from melodygan.sources.naming import UNLABELLED, extension, may_be_sound, track_id
from melodygan.sources.probing import duration
from melodygan.sources.remote import Entry, fetch, list_entries, too_long
from melodygan.sources.transfers import DownloadParams, say, side_by_side
from melodygan.sources.ytdlp import Access, FetchError, Patience

DEMO_LICENCE = "CC0-1.0"
# what a download says about itself; the rest of a row comes from sources.yaml
_FACTS = ("track", "title", "id", "url", "item", "suffix", "sha256", "bytes", "duration", "licence")


@dataclass(frozen=True)
class _Offer:
    """An entry that a source lists. position: for people, `2 of 9`."""

    source: UrlSource
    entry: Entry
    position: str


class Resolver:
    """Collects tracks and gives ordinals: the old one, or else the next of the label."""

    def __init__(self, old: Lock | None, patience: Patience, params: DownloadParams) -> None:
        self.patience, self.params = patience, params
        self.old = {track.identity: track for track in old.tracks} if old else {}
        self.next_ordinal: dict[str, int] = {}
        for label, following in (old.next_ordinal if old else {}).items():
            label = clean(label)  # an older lock may have both of Unicode's forms of a label
            self.next_ordinal[label] = max(following, self.next_ordinal.get(label, 0))
        self.taken: set[tuple[str, int]] = set()
        self.tracks: list[LockedTrack] = []
        self.seen: set[object] = set()
        self.offered = 0  # tracks, counting those listed a second time
        self.left_out = 0
        self.journal = Journal()
        self.known = KnownFiles()
        self.claims: dict[Identity, threading.Lock] = {}
        self.outcomes: deque[list[LockedTrack | UserError] | UserError] = deque()

    def download(self, sources: list[UrlSource]) -> None:
        """List what the url sources offer and fetch what is new, many at once.

        `outcomes` gets an item for each source, in their order: its tracks, or why it has none.
        """
        listings = side_by_side(sources, self._entries, lambda source: source.url, self.params)
        offers = [
            _Offer(source, entry, f"{number} of {len(entries)}")
            for source, entries in zip(sources, listings, strict=True)
            if not isinstance(entries, UserError)
            for number, entry in enumerate(entries, 1)
        ]
        fetched = iter(
            side_by_side(offers, self._entry, lambda offer: offer.entry.url, self.params)
        )
        for listing in listings:
            if isinstance(listing, UserError):
                self.outcomes.append(listing)
            else:
                self.outcomes.append(list(islice(fetched, len(listing))))

    def resolve(self, source: Source, where: str) -> None:
        """Add the tracks of the next source. Raises UserError if there are none."""
        if isinstance(source, DemoSource):
            self.demo(source)
        elif isinstance(source, FolderSource):
            self.folder(source, where)
        else:
            self.url(source, where)

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
        before, others = self.offered, []
        for found in list_files(source.folder, self._leave_out):
            try:
                state = found.path.stat()
                facts = self.known.facts(found.path, state) or _look_at(found.path)
            except OSError as error:
                self._leave_out(f"{clean(found.relative)}: {error.strerror}: left out")
                continue
            self.known.note(found.path, state, facts)
            if facts["duration"] is None and not may_be_sound(found.path.name):
                others.append(
                    clean(found.relative)
                )  # it must not take a song's place in the splits
                continue
            self._add(self._file(source, found, facts | {"bytes": state.st_size}))
        if others:
            line = f"{len(others)} files that are no audio, such as {others[0]}: left out"
            self._leave_out(f"{clean(source.folder)}: {line}", len(others))
        if self.offered == before:
            words = "has no files of audio: add some, or remove it"
            raise UserError(f"{where}: folder {clean(source.folder)} {words}")

    def url(self, source: UrlSource, where: str) -> None:
        outcomes = self.outcomes.popleft()
        if isinstance(outcomes, UserError):
            raise UserError(f"{where}: {outcomes}: check the address, or remove the entry")
        before, reason = self.offered, "it lists no entries"
        for outcome in outcomes:
            if isinstance(outcome, UserError):
                reason = str(outcome)
                self._leave_out(f"{reason}: left out")
            else:
                self._add(outcome)
        if self.offered == before:
            raise UserError(f"{where}: {clean(source.url)} gave no track: {reason}")

    def _file(self, source: FolderSource, found: Found, facts: dict[str, Any]) -> LockedTrack:
        path = (Path(source.folder) / found.relative).as_posix()
        return LockedTrack(
            track=track_id(Path(path).stem, identity("folder", path)),
            kind="folder",
            label=clean(source.label or "") or found.label,
            ordinal=0,
            title=clean(Path(path).stem),
            path=path,
            suffix=extension(path),
            licence=source.licence,
            start=source.start,
            end=source.end,
            **facts,
        )

    def _entries(self, source: UrlSource) -> list[Entry]:
        known = self.old.get(identity("url", source.url))
        if known:  # a single file: no need to ask the server, which may be gone by now
            return [Entry(source.url, None, known.id or "", known.title, known.duration)]
        return list_entries(source.url, _access(source), self.patience, source.max_entries)

    def _entry(self, offer: _Offer) -> LockedTrack:
        """The track of one offer, downloaded if it is new. Raises FetchError."""
        source, entry = offer.source, offer.entry
        key = identity("url", entry.url, entry.item)
        with self.claims.setdefault(key, threading.Lock()):  # two sources may list it
            facts = self._facts(source, entry, key, offer.position)
        settings: dict[str, Any] = {
            "kind": "url",
            "ordinal": 0,
            "label": clean(source.label or "") or UNLABELLED,
            "licence": source.licence or facts["licence"],
            "start": source.start,
            "end": source.end,
            "allow_private": source.allow_private,
            "extractors": source.extractors,
        }
        return LockedTrack(**facts | settings)

    def _facts(
        self, source: UrlSource, entry: Entry, key: Identity, position: str
    ) -> dict[str, Any]:
        old = self.old.get(key)
        facts = {name: getattr(old, name) for name in _FACTS} if old else self.journal.get(key)
        seconds = facts["duration"] if facts else entry.duration
        if seconds and source.max_minutes and seconds > source.max_minutes * 60:
            raise FetchError(entry.url, too_long(seconds, source.max_minutes))
        if facts is None:
            facts = self._download(source, entry)
            self.journal.add(key, facts)
            say(f"lock: {position}: {facts['title']} ({facts['duration']:.0f} s)")
        return facts

    def _download(self, source: UrlSource, entry: Entry) -> dict[str, Any]:
        got = fetch(entry.url, entry.item, _access(source), self.patience, source.max_minutes)
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
        if old and clean(old.label) == track.label and (track.label, old.ordinal) not in self.taken:
            ordinal = old.ordinal
        else:
            ordinal = self.next_ordinal.get(track.label, 0)
            self.next_ordinal[track.label] = ordinal + 1
        self.taken.add((track.label, ordinal))
        self.tracks.append(replace(track, ordinal=ordinal))

    def _leave_out(self, line: str, count: int = 1) -> None:
        self.left_out += count
        print(f"lock: {line}", flush=True)

    def report_copies(self) -> None:
        """Copies may end up in both train and test, where they would flatter every score."""
        first: dict[str, LockedTrack] = {}
        for track in self.tracks:
            if track.sha256:
                other = first.setdefault(track.sha256, track)
                if other is not track:
                    print(f"lock: {track.track} has the same bytes as {other.track}: remove one")

    def differences(self) -> tuple[int, int]:
        """Numbers of tracks that the old lock file did not have, and that are gone."""
        keys = {track.identity for track in self.tracks}
        return len(keys - self.old.keys()), len(self.old.keys() - keys)

    def close(self) -> None:
        """Tidy up once the lock file is written."""
        self.journal.close()
        self.known.close()


def _access(source: UrlSource) -> Access:
    return Access(bool(source.allow_private), source.extractors)


def _look_at(file: Path) -> dict[str, Any]:
    """Hash and length of a local file."""
    try:
        seconds = duration(file)
    except AudioError:
        seconds = None  # preprocessing rejects it, with this reason in its report
    return {"sha256": sha256_file(file), "duration": seconds}
