"""data/sources.lock.yaml: the tracks that the sources stood for when they were locked."""

import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest, write_atomic
from melodygan.pipeline.names import clean
from melodygan.pipeline.params import Range, parse
from melodygan.pipeline.safe_yaml import load_yaml
from melodygan.sources.config import Seconds
from melodygan.sources.naming import label_complaint

HEADER = "# Written by `melodygan lock` from sources.yaml: commit it, do not edit it.\n"
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml where it is there: faster

_KEYS = ("sources_sha256", "next_ordinal", "tracks")
_SUM = "content_sha256"

Identity = tuple[str | None, ...]


@dataclass(frozen=True)
class LockedTrack:
    """One track. What its kind does not need is None, and absent in the file.

    ordinal: position within the label, given once. id: the demo's own ordinal, or yt-dlp's id.
    path: of a folder's file, as sources.yaml writes it. item: yt-dlp's id of an entry that has no
    address of its own in the page `url`. bytes: size. duration, start, end: s. suffix: `.wav`.
    """

    track: str
    kind: Literal["demo", "folder", "url"]
    label: str
    ordinal: Annotated[int, Range(ge=0)]
    title: str
    id: str | None = None
    path: str | None = None
    url: str | None = None
    item: str | None = None
    suffix: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    duration: float | None = None
    licence: str | None = None
    start: Seconds | None = None
    end: Seconds | None = None
    allow_private: bool | None = None
    extractors: list[str] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", self.track):
            raise ValueError(f"track {self.track!r} is not a track id")
        if complaint := label_complaint(clean(self.label)):
            raise ValueError(complaint)
        if self.kind == "demo" and not re.fullmatch(r"[0-9]{1,9}", self.id or ""):
            raise ValueError(f"id {self.id!r} is not a number of the demo band's")
        needs = {
            "demo": ["id", "duration"],
            "folder": ["path", "suffix"],
            "url": ["url", "suffix"],
        }[self.kind]
        missing = [key for key in needs if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a {self.kind} track needs {' and '.join(missing)}")
        if self.kind != "demo" and not re.fullmatch(r"[0-9a-f]{64}", self.sha256 or ""):
            raise ValueError(f"sha256 {self.sha256!r} is not a SHA-256")
        if self.suffix is not None and not re.fullmatch(r"\.[a-z0-9]{1,8}", self.suffix):
            raise ValueError(f"suffix {self.suffix!r} is not a file extension")

    @property
    def identity(self) -> Identity:
        """What makes it the same track when the sources are locked again."""
        return identity(self.kind, self.path or self.url or self.track, self.item)


def identity(kind: str, place: str, item: str | None = None) -> Identity:
    """Trims and labels do not count: changing them must not move a track to another split."""
    return (kind, place, item)


@dataclass(frozen=True)
class Lock:
    """sources_sha256: of the parsed sources. next_ordinal: by label, never decreasing.

    whole: False where it is not as `write_lock` wrote it, but edited, merged, damaged, or cut
    short after some track, which nothing else would show.
    """

    sources_sha256: str
    next_ordinal: dict[str, int]
    tracks: list[LockedTrack]
    whole: bool = True


def read_lock(path: Path) -> Lock:
    """Read and check a lock file. Raises UserError naming the file and the place in it.

    Those of the first versions have no `content_sha256` and count as whole.
    """
    try:
        content = path.read_bytes()
        value = load_yaml(content)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `melodygan lock`") from None
    except IsADirectoryError:
        raise _broken(path, "is a folder") from None
    except ValueError as error:
        if re.search(rb"^(<{7}|>{7}) ", content, re.MULTILINE):
            raise UserError(
                f"{path}: conflict marks of a merge: take one side (`git checkout --ours {path}`) "
                "and run `melodygan lock`, which adds what the other one has"
            ) from None
        raise _broken(path, f"not valid YAML ({error})") from None
    if not isinstance(value, dict) or value.keys() - {_SUM} != set(_KEYS):
        raise _broken(path, f"its keys must be {_SUM}, {', '.join(_KEYS)}")
    sha256, ordinals, rows = value["sources_sha256"], value["next_ordinal"], value["tracks"]
    if not isinstance(sha256, str) or not isinstance(ordinals, dict) or not isinstance(rows, list):
        raise _broken(path, "sources_sha256 must be text, next_ordinal a mapping, tracks a list")
    optional = {field.name: None for field in fields(LockedTrack)}
    tracks = [
        parse(
            LockedTrack, optional | row if isinstance(row, dict) else row, f"tracks[{i}]", str(path)
        )
        for i, row in enumerate(rows)
    ]
    lock = Lock(sha256, ordinals, tracks, _SUM not in value or value[_SUM] == _sum(value))
    _check(path, lock)
    return lock


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file atomically, sorted by label and ordinal: equal locks are equal bytes."""
    tracks = sorted(lock.tracks, key=lambda track: (track.label, track.ordinal))
    rows = [{k: v for k, v in asdict(track).items() if v is not None} for track in tracks]
    value: dict[str, Any] = {
        "sources_sha256": lock.sources_sha256,
        "next_ordinal": dict(sorted(lock.next_ordinal.items())),
        "tracks": rows,
    }
    value = {_SUM: _sum(value)} | value  # first, so that what cuts the file short leaves it
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    write_atomic(path, (HEADER + text).encode())


def _sum(value: dict[str, Any]) -> str:
    """Digest of what the file says, whatever its line ends and order of keys."""
    try:
        return digest({key: value[key] for key in _KEYS})
    except (TypeError, ValueError):
        return ""  # something that is no JSON, such as a date: not as it was written


def _check(path: Path, lock: Lock) -> None:
    """Conditions between rows, which a merge of two branches can break."""
    seen: set[object] = set()
    for track in lock.tracks:
        place = (track.label, track.ordinal)
        for value in (track.track, place):
            if value in seen:
                raise _broken(path, f"{value} occurs twice")
            seen.add(value)
        following = lock.next_ordinal.get(track.label)
        if not isinstance(following, int) or following <= track.ordinal:
            raise _broken(path, f"next_ordinal of {track.label} must be above {track.ordinal}")


def _broken(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path}: {reason}: restore it from git, or delete it and run `melodygan lock`"
    )
