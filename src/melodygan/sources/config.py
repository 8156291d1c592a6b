"""data/sources.yaml, read strictly: what the user wants to train on.

Every entry is one of `demo: {tracks, seconds}`, `folder: path` and `url: address`, with optional
keys beside it; the dataclasses below say which.
"""

import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest
from melodygan.pipeline.params import Range, brief, parse, read_params
from melodygan.sources.naming import label_complaint

DAY = 86_400.0  # s; no file is taken as longer
Seconds = Annotated[float, Range(ge=0, le=DAY)]


@dataclass(frozen=True)
class Demo:
    """How much of the built-in band to render; seconds is the length of every track."""

    tracks: Annotated[int, Range(ge=1, le=100_000)]
    seconds: Annotated[float, Range(ge=1, le=600)]


@dataclass(frozen=True)
class DemoSource:
    """The built-in band, with its own labels."""

    demo: Demo


@dataclass(frozen=True)
class FolderSource:
    """A folder of files: one label per immediate subfolder, or `label` for all.

    folder: relative to the repository's root, or absolute. start, end: s, cut from every file.
    """

    folder: str
    label: str | None
    licence: str | None
    start: Seconds | None
    end: Annotated[float, Range(gt=0, le=DAY)] | None

    def __post_init__(self) -> None:
        if not self.folder.strip():
            raise ValueError("folder is empty: write `.` for the repository itself")
        _check_label(self.label)
        _check_licence(self.licence)
        _check_trims(self.start, self.end)


@dataclass(frozen=True)
class UrlSource:
    """A file, playlist or feed that yt-dlp can read.

    max_minutes: longer entries are left out. max_entries: only the first so many are listed.
    allow_private: let this source reach addresses of private networks and of this machine.
    extractors: names (regular expressions) of the only yt-dlp extractors that may be used.
    """

    url: str
    label: str | None
    licence: str | None
    start: Seconds | None
    end: Annotated[float, Range(gt=0, le=DAY)] | None
    max_minutes: Annotated[float, Range(gt=0)] | None
    max_entries: Annotated[int, Range(ge=1)] | None
    allow_private: bool | None
    extractors: list[str] | None

    def __post_init__(self) -> None:
        complaint = address_complaint(self.url)
        if complaint:
            raise ValueError(f"url {complaint}")
        _check_label(self.label)
        _check_licence(self.licence)
        _check_trims(self.start, self.end)
        for name in self.extractors or []:
            try:
                re.compile(name)
            except re.error as error:
                raise ValueError(
                    f"extractors: {name!r} is no regular expression: {error}"
                ) from None
        if self.extractors == []:
            raise ValueError("extractors is empty: name one, or remove the key")


Source = DemoSource | FolderSource | UrlSource
KINDS: dict[str, type[Source]] = {"demo": DemoSource, "folder": FolderSource, "url": UrlSource}


def address_complaint(url: str) -> str | None:
    """Why `url` is no address that this project fetches, or None."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        return f"{url!r} is not an address: {error}"
    if parts.scheme not in ("http", "https"):
        return f"{url!r} must begin with http:// or https://"
    return None if usable else f"{url!r} names no host"


def read_sources(path: Path) -> list[Source]:
    """Every entry of `path`, in the order of the file.

    Raises UserError naming the file, the entry's number (from 1) and the key's path.
    """
    table = read_params(path)
    for key in table:
        if key != "sources":
            raise UserError(f"{path}: unknown key {key} (known: sources)")
    entries = table.get("sources")
    if not isinstance(entries, list) or not entries:
        raise UserError(
            f"{path}: sources must be a list with at least one entry, not {brief(entries)}"
        )
    sources = [_read_entry(path, i, entry) for i, entry in enumerate(entries)]
    if sum(isinstance(source, DemoSource) for source in sources) > 1:
        raise UserError(f"{path}: sources lists `demo` more than once: keep one of them")
    return sources


def sources_digest(sources: list[Source]) -> str:
    """Hex SHA-256 of the parsed sources: layout and comments do not count, values and order do."""
    return digest(
        [{k: v for k, v in asdict(source).items() if v is not None} for source in sources]
    )


def _read_entry(path: Path, index: int, entry: Any) -> Source:
    where, key = f"{path}, entry {index + 1}", f"sources[{index}]"
    kinds = [kind for kind in KINDS if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1:
        raise UserError(f"{where}: {key} needs exactly one of the keys {', '.join(KINDS)}")
    cls = KINDS[kinds[0]]
    optional = {field.name: None for field in fields(cls)}
    return parse(cls, optional | entry, key, where)


def _check_label(label: str | None) -> None:
    complaint = None if label is None else label_complaint(label)
    if complaint:
        raise ValueError(complaint)


def _check_licence(licence: str | None) -> None:
    if licence is not None and not licence.isprintable():
        raise ValueError(f"licence must be printable characters, not {licence!r}")


def _check_trims(start: float | None, end: float | None) -> None:
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"end ({end:g} s) must come after start ({start or 0:g} s)")
