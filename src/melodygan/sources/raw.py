"""The download stage's work: data/raw from the lock file, every file checked against its hash."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import soundfile

from melodygan.pipeline import Stage, UserError
from melodygan.pipeline.files import atomic_dir, digest, sha256_file, write_rows
from melodygan.pipeline.tracks import Job, map_tracks
from melodygan.sources.config import read_sources, sources_digest
from melodygan.sources.folder import locate
from melodygan.sources.lockfile import LockedTrack, read_lock
from melodygan.sources.naming import clean
from melodygan.sources.remote import fetch
from melodygan.sources.store import get, put, scratch
from melodygan.sources.ytdlp import Access, FetchError, Patience

DEMO_RATE = 44100  # Hz


@dataclass(frozen=True)
class DownloadParams:
    """Params group `download`.

    on_drift, for bytes that are not the locked ones: `fail`; `accept` the new ones; `keep` the
    locked ones, of which it therefore stores copies of local files too.
    """

    on_drift: Literal["fail", "accept", "keep"]


def write_raw(
    stage: Stage,
    params: DownloadParams,
    sources: Path,
    lock_file: Path,
    target: Path,
    patience: Patience | None = None,
) -> None:
    """Write every locked track and `index.jsonl` into the folder `target`.

    Raises UserError when `sources` and `lock_file` disagree, when a file cannot be had, and when
    its bytes have changed and `params` does not allow that.
    """
    lock = read_lock(lock_file)
    if lock.sources_sha256 != sources_digest(read_sources(sources)):
        raise UserError(f"{lock_file} was made from another {sources}: run `melodygan lock`")
    demo = [track for track in lock.tracks if track.kind == "demo"]
    others = [track for track in lock.tracks if track.kind != "demo"]
    with atomic_dir(target) as folder:
        rows = _write_demo(stage, demo, folder)
        for number, track in enumerate(others, 1):
            place = f"download: {number} of {len(others)}"
            file = folder / f"{track.track}{track.suffix}"
            sha256 = _obtain(track, file, params.on_drift, patience or Patience(), place)
            rows.append(_row(track, file, sha256, None))
        write_rows(folder / "index.jsonl", sorted(rows, key=lambda row: row["track"]))


def render(folder: Path, label: str, ordinal: int, seconds: float) -> None:
    """Render one demo track into `folder`: mix.flac and vocals.flac (16 bit, stereo, 44.1 kHz)."""
    from melodygan.sources.demo import render_track

    track = render_track(label, ordinal, seconds)
    soundfile.write(folder / "mix.flac", track.mix, DEMO_RATE, "PCM_16")
    soundfile.write(folder / "vocals.flac", track.vocals, DEMO_RATE, "PCM_16")


def _write_demo(stage: Stage, tracks: list[LockedTrack], folder: Path) -> list[dict[str, Any]]:
    jobs = []
    for track in tracks:
        arguments = (track.label, int(track.id or 0), track.duration)
        jobs.append(Job(track.track, digest(arguments), arguments))
    if not jobs:
        return []
    rendered = map_tracks(stage, jobs, render, {})
    (folder / "truth").mkdir()
    rows = []
    for track in tracks:
        file, vocals = folder / f"{track.track}.flac", f"truth/{track.track}.vocals.flac"
        shutil.copyfile(rendered[track.track] / "mix.flac", file)
        shutil.copyfile(rendered[track.track] / "vocals.flac", folder / vocals)
        rows.append(_row(track, file, sha256_file(file), {"vocals": vocals}))
    return rows


def _obtain(track: LockedTrack, file: Path, on_drift: str, patience: Patience, place: str) -> str:
    """Put the track's bytes at `file` and return their SHA-256; `on_drift` judges changed ones."""
    expected = track.sha256 or ""
    if track.kind == "url":
        _copy(get(expected) or _fetch(track, patience, place), file)
    else:
        _copy(locate(track.path or ""), file)
    got = sha256_file(file)
    if got == expected:
        if on_drift == "keep" and track.kind == "folder" and not get(expected):
            _store(file)
        return got
    where = clean(track.url or track.path or "")
    if on_drift == "accept":
        print(f"{place}: {where} has changed since it was locked: taking it as it is", flush=True)
        return got
    stored = get(expected) if on_drift == "keep" else None
    if stored:
        print(f"{place}: {where} has changed since it was locked: keeping the copy", flush=True)
        _copy(stored, file)
        return expected
    raise UserError(f"{where}: expected sha256 {expected}, got {got}: {_remedy(track, on_drift)}")


def _remedy(track: LockedTrack, on_drift: str) -> str:
    again = "run `melodygan lock`"
    if track.kind == "url":
        again = f"delete the track {track.track} from the lock file and {again}"
    if on_drift == "keep":
        return (
            f"no copy of the locked bytes is stored here, so {again}, or restore .cache/downloads"
        )
    return f"{again}, or set download.on_drift to accept"


def _fetch(track: LockedTrack, patience: Patience, place: str) -> Path:
    print(f"{place}: {track.title}", flush=True)
    access = Access(bool(track.allow_private), track.extractors)
    try:
        url = track.url or ""
        return fetch(url, track.item, access, patience, expected=track.sha256).path
    except FetchError as error:
        raise UserError(
            f"{error}: track {track.track} can be had no more; try again, or remove it from "
            "data/sources.yaml and run `melodygan lock`"
        ) from None


def _copy(source: Path, file: Path) -> None:
    try:
        shutil.copyfile(source, file)
    except OSError as error:
        raise UserError(
            f"{clean(str(source))}: {error.strerror}: restore it, or run `melodygan lock`"
        ) from None


def _store(file: Path) -> None:
    with scratch() as folder:
        shutil.copyfile(file, folder / "body")
        put(folder / "body")


def _row(
    track: LockedTrack, file: Path, sha256: str, truth: dict[str, str] | None
) -> dict[str, Any]:
    return {
        "track": track.track,
        "label": track.label,
        "ordinal": track.ordinal,
        "file": file.name,
        "sha256": sha256,
        "title": track.title,
        "licence": track.licence,
        "source": track.kind,
        "start": track.start,
        "end": track.end,
        "truth": truth,
    }
