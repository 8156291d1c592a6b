"""Audio behind an address: what entries it has, and their bytes, checked before they count."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from melodygan.audio.decode import AudioError
from melodygan.pipeline.names import clean
from melodygan.sources.config import address_complaint
from melodygan.sources.naming import extension
from melodygan.sources.probing import checked_duration
from melodygan.sources.store import clear, get, put, workspace
from melodygan.sources.transport import can_resume
from melodygan.sources.ytdlp import Access, FetchError, Patience, call

T = TypeVar("T")
_PICTURES, _VIDEO = 100e6, 8e6  # bytes, bytes/s


@dataclass(frozen=True)
class Entry:
    """One track that a source lists.

    item: yt-dlp's id of an entry that has no address of its own, but is embedded in the page `url`.
    duration: s, where the listing says it.
    """

    url: str
    item: str | None
    id: str
    title: str
    duration: float | None


@dataclass(frozen=True)
class Fetched:
    """Bytes in the store. seconds: measured by decoding them."""

    path: Path
    sha256: str
    size: int
    seconds: float
    id: str
    title: str
    licence: str | None
    suffix: str


def list_entries(url: str, access: Access, patience: Patience, first: int | None) -> list[Entry]:
    """The entries behind `url`, without downloading them; one if it is a single file.

    first: at most so many. Raises FetchError.
    """
    info = _persist(patience, lambda last: call(url, access, patience, first=first))
    if "entries" not in info:
        return [_entry(url, None, info)]
    entries = []
    for inner in info["entries"]:
        if inner and inner.get("_type", "video") in ("url", "url_transparent"):
            address, known_id = _plain(inner["url"])
            entries.append(_entry(address, None, {"id": known_id, **_known(inner)}))
        elif inner:
            entries.append(_entry(url, str(inner["id"]), inner))
    return entries


def fetch(
    url: str,
    item: str | None,
    access: Access,
    patience: Patience,
    max_minutes: float | None = None,
) -> Fetched:
    """Download one entry into the store, going on where a killed run broke off if that is safe.

    Raises FetchError: unreachable, longer than `max_minutes`, live, empty, truncated, not audio.
    """
    _check_address(url)
    with workspace(_partial_name(url, item)) as folder:

        def attempt(last: bool) -> Fetched:
            if not can_resume(folder):
                clear(folder)
            return _fetch_whole(url, item, access, patience, max_minutes, folder, None)

        return _persist(patience, attempt)


def fetch_locked(
    url: str, item: str | None, access: Access, patience: Patience, expected: str
) -> Path:
    """The stored bytes of one entry; others than those of SHA-256 `expected` only if every try
    gives them. If another process is fetching the entry, its result is awaited and used.

    Raises FetchError as `fetch` does.
    """
    _check_address(url)
    with workspace(_partial_name(url, item)) as folder:

        def attempt(last: bool) -> Path:
            fetched = _fetch_whole(url, item, access, patience, None, folder, expected)
            if fetched.sha256 != expected and not last:
                # without a Content-Length a truncated body looks like a changed file
                raise FetchError(url, "other bytes than the lock file records")
            return fetched.path

        return get(expected) or _persist(patience, attempt)


def _check_address(url: str) -> None:
    complaint = address_complaint(url)
    if complaint:
        raise FetchError(url, complaint, permanent=True)


def _partial_name(url: str, item: str | None) -> str:
    return hashlib.sha256(repr((url, item)).encode()).hexdigest() + ".part"


def _persist(patience: Patience, attempt: Callable[[bool], T]) -> T:
    """Call `attempt(is_last)` until it succeeds, pausing ever longer. Raises its last error."""
    for number in range(1, patience.tries):
        try:
            return attempt(False)
        except FetchError as error:
            if error.permanent:
                raise
        time.sleep(patience.pause * 2 ** (number - 1))
    return attempt(True)


def _fetch_whole(
    url: str,
    item: str | None,
    access: Access,
    patience: Patience,
    max_minutes: float | None,
    folder: Path,
    expected: str | None,
) -> Fetched:
    """`_fetch_once`; and again from the start if what it went on with has spoilt the result."""
    resumed = any(folder.glob("body*"))
    try:
        fetched = _fetch_once(url, item, access, patience, max_minutes, folder)
    except FetchError:
        if not resumed or any(folder.glob("body*")):
            raise  # not the result is at fault, but the transfer
    else:
        if not resumed or expected in (None, fetched.sha256):
            return fetched
        fetched.path.unlink()  # the rest of one version after the start of another
    return _fetch_once(url, item, access, patience, max_minutes, folder)


def _fetch_once(
    url: str,
    item: str | None,
    access: Access,
    patience: Patience,
    max_minutes: float | None,
    folder: Path,
) -> Fetched:
    unwanted: list[str] = []

    def accept(info: dict[str, Any]) -> str | None:
        reason, counts = _unwanted(info, item, max_minutes)
        if reason and counts:
            unwanted.append(reason)
        return reason

    if max_minutes:  # video is the most that a second of music comes with
        largest = min(patience.largest, _PICTURES + _VIDEO * 60 * max_minutes)
        patience = replace(patience, largest=largest)
    try:
        info = call(url, access, patience, folder, accept)
    except BaseException:
        if not any(folder.glob("body*")):
            clear(folder)
        raise  # what has come stays for the next try
    try:
        if item is not None:
            info = next((e for e in info.get("entries", [info]) if e and e["id"] == item), info)
        if unwanted:
            raise FetchError(url, unwanted[0], permanent=True)
        if item is not None and info.get("id") != item:
            raise FetchError(url, f"the page has no entry {clean(item)} any more", permanent=True)
        if "entries" in info:
            reason = "a playlist inside a playlist: list its own address"
            raise FetchError(url, reason, permanent=True)
        return _accept(url, info, folder, max_minutes)
    finally:
        clear(folder)


def _accept(url: str, info: dict[str, Any], folder: Path, max_minutes: float | None) -> Fetched:
    """Check what was downloaded into `folder` and put it into the store."""
    files = list(folder.glob("body*"))
    if len(files) != 1 or not files[0].stat().st_size:
        raise FetchError(url, "the server sent nothing")
    seconds = _check(url, files[0], max_minutes)
    size = files[0].stat().st_size
    path, sha256 = put(files[0])
    title, licence = clean(str(info.get("title") or "")), clean(str(info.get("license") or ""))
    suffix = extension(f".{info.get('ext', '')}")
    known_id = clean(str(info["id"]))
    return Fetched(path, sha256, size, seconds, known_id, title, licence or None, suffix)


def _unwanted(
    info: dict[str, Any], item: str | None, max_minutes: float | None
) -> tuple[str | None, bool]:
    """Why an entry is not to be downloaded, and whether that is a failure of what was asked for."""
    if "id" not in info:
        return None, False  # the playlist itself
    if item is not None and info["id"] != item:
        return "another entry of the page", False
    if item is None and info.get("playlist_index") is not None:
        return "a playlist inside a playlist: list its own address", True
    if info.get("is_live"):
        return "a live stream has no end", True
    duration = info.get("duration")
    if duration and max_minutes and duration > max_minutes * 60:
        return too_long(duration, max_minutes), True
    return None, False


def too_long(seconds: float, max_minutes: float) -> str:
    """The reason shown for an entry that max_minutes leaves out."""
    return f"{seconds / 60:.1f} minutes are more than max_minutes ({max_minutes:g})"


def _check(url: str, file: Path, max_minutes: float | None) -> float:
    """Seconds of a downloaded file. Raises FetchError when it does not decode or is too long."""
    most = max_minutes * 60 if max_minutes else None
    try:
        seconds = checked_duration(file, most)
    except AudioError as error:
        with file.open("rb") as stream:
            head = stream.read(512).lstrip().lower()
        page = head.startswith((b"<!doctype html", b"<html"))
        reason = "a web page instead of audio" if page else error.reason
        raise FetchError(url, f"the server sent {reason}" if page else reason) from None
    if most and seconds > most:
        raise FetchError(url, too_long(seconds, most / 60), permanent=True)
    return seconds


def _entry(url: str, item: str | None, info: dict[str, Any]) -> Entry:
    known_id = str(info.get("id") or url)
    title = clean(str(info.get("title") or "")) or clean(known_id)
    return Entry(url, item, clean(known_id), title, info.get("duration"))


def _known(info: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in info.items() if value is not None}


def _plain(url: str) -> tuple[str, str | None]:
    """An address without the id that yt-dlp's feed reader hides in it, and that id."""
    from yt_dlp.utils import unsmuggle_url

    plain, hidden = unsmuggle_url(url, {})
    if hidden and set(hidden) != {"force_videoid"}:
        return url, None  # data that the extractor needs to find the entry again
    return plain, hidden.get("force_videoid")
