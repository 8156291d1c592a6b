"""The download stage's work: data/raw from the lock file, every file checked against its hash."""

from pathlib import Path, PurePosixPath
from typing import Any

import soundfile

from melodygan.pipeline import Stage, UserError
from melodygan.pipeline.files import atomic_dir, digest, read_rows, write_rows
from melodygan.pipeline.hydrate import last_commit
from melodygan.pipeline.names import clean
from melodygan.pipeline.tracks import Job, map_tracks
from melodygan.sources.config import FolderSource, read_sources, sources_digest
from melodygan.sources.folder import locate
from melodygan.sources.lockfile import LockedTrack, read_lock
from melodygan.sources.remote import fetch_locked
from melodygan.sources.store import copy, keep, room, store_root, sweep, take
from melodygan.sources.transfers import DownloadParams, say, side_by_side, together
from melodygan.sources.ytdlp import Access, FetchError, Patience

DEMO_RATE = 44100  # Hz
TRUTH = "truth"  # folder of true stems


def write_raw(
    stage: Stage,
    params: DownloadParams,
    sources: Path,
    lock_file: Path,
    target: Path,
    patience: Patience | None = None,
) -> None:
    """Write every locked track, `index.jsonl` and truth/index.jsonl into the folder `target`.

    Raises UserError when `sources` and `lock_file` disagree; and, after all other files have been
    fetched, when one cannot be had, or has changed and `params` does not allow that.
    """
    lock = read_lock(lock_file)
    entries = read_sources(sources)
    if lock.sources_sha256 != sources_digest(entries):
        raise UserError(f"{lock_file} was made from another {sources}: run `melodygan lock`")
    _check_places(lock.tracks, [s for s in entries if isinstance(s, FolderSource)], lock_file)
    if not lock.whole:
        raise UserError(
            f"{lock_file} is not as `melodygan lock` wrote it, so tracks may be missing or others: "
            "restore it from git, or run `melodygan lock`"
        )
    demo = [track for track in lock.tracks if track.kind == "demo"]
    others = [track for track in lock.tracks if track.kind != "demo"]
    patience = patience or Patience()
    sweep()
    with room(target), atomic_dir(target) as folder:
        rows = _write_demo(stage, demo, folder)

        def obtain(job: tuple[int, LockedTrack]) -> dict[str, Any]:
            number, track = job
            file = folder / f"{track.track}{track.suffix}"
            place = f"download: {number} of {len(others)}"
            sha256 = _obtain(track, file, params.on_drift, patience, place)
            return _row(track, file, sha256, None)

        _take_from_last_commit([track for track in others if track.kind == "url"], target)
        jobs = list(enumerate(others, 1))
        results = side_by_side(jobs, obtain, lambda job: job[1].url, params)
        failures = [result for result in results if isinstance(result, UserError)]
        if failures:
            raise together(failures, f"of {len(others)} tracks could not be had")
        rows += [result for result in results if isinstance(result, dict)]
        write_rows(folder / "index.jsonl", sorted(rows, key=lambda row: row["track"]))
        # a stage may depend on this folder alone, so it must be there without demo tracks too
        (folder / TRUTH).mkdir(exist_ok=True)
        truths = [{"track": row["track"], **row["truth"]} for row in rows if row["truth"]]
        write_rows(folder / TRUTH / "index.jsonl", sorted(truths, key=lambda row: row["track"]))


def _check_places(tracks: list[LockedTrack], sources: list[FolderSource], lock_file: Path) -> None:
    """Raise UserError for a track that the lock, perhaps somebody else's, has from another place
    than the folders that sources.yaml names, or for a demo track that nobody can play.
    """
    from melodygan.sources.demo import LABELS

    folders = [PurePosixPath(source.folder) for source in sources]
    for track in tracks:
        place = PurePosixPath(track.path or "")
        fits = any(
            place.is_relative_to(f) and ".." not in place.relative_to(f).parts for f in folders
        )
        if (track.kind == "folder" and not fits) or (
            track.kind == "demo" and track.label not in LABELS
        ):
            what = "path" if track.kind == "folder" else "label"
            raise UserError(
                f"{lock_file}: the {what} of track {track.track} is none of its source's: "
                "run `melodygan lock`"
            )


def _take_from_last_commit(tracks: list[LockedTrack], raw: Path) -> None:
    """Put into the store what the last commit's data/raw (`raw`) has of `tracks`.

    A fresh clone would download everything again, and not get the same bytes from every server.
    """
    missing = {t.sha256 for t in tracks if t.sha256 and not (store_root() / t.sha256).is_file()}
    if not missing:
        return
    with last_commit("download", raw, store_root()) as get_output:
        if get_output is None:
            return
        for row in read_rows(get_output(raw / "index.jsonl")):
            if row["sha256"] in missing:
                keep(get_output(raw / row["file"]), row["sha256"])


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
    (folder / TRUTH).mkdir()
    rows = []
    for track in tracks:
        file, vocals = folder / f"{track.track}.flac", f"{TRUTH}/{track.track}.vocals.flac"
        sha256 = copy(rendered[track.track] / "mix.flac", file)
        copy(rendered[track.track] / "vocals.flac", folder / vocals)
        rows.append(_row(track, file, sha256, {"vocals": vocals}))
    return rows


def _obtain(track: LockedTrack, file: Path, on_drift: str, patience: Patience, place: str) -> str:
    """Put the track's bytes at `file` and return their SHA-256; `on_drift` judges changed ones."""
    expected = track.sha256 or ""
    if track.kind == "url":
        if take(expected, file):
            return expected
        got = _copy(_fetch(track, expected, patience, place), file)
    else:
        got = _copy(locate(track.path or ""), file)
    if got == expected:
        if on_drift == "keep" and track.kind == "folder":
            keep(file, expected)
        return got
    where = clean(track.url or track.path or "")
    if on_drift == "accept":
        say(f"{place}: {where} has changed since it was locked: taking it as it is")
        return got
    if on_drift == "keep" and take(expected, file):
        say(f"{place}: {where} has changed since it was locked: keeping the copy")
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


def _fetch(track: LockedTrack, expected: str, patience: Patience, place: str) -> Path:
    say(f"{place}: {track.title}")
    access = Access(bool(track.allow_private), track.extractors)
    try:
        return fetch_locked(track.url or "", track.item, access, patience, expected)
    except FetchError as error:
        raise UserError(
            f"{error}: track {track.track} can be had no more; try again, or remove it from "
            "data/sources.yaml and run `melodygan lock`"
        ) from None


def _copy(source: Path, file: Path) -> str:
    try:
        return copy(source, file)
    except OSError as error:
        raise UserError(
            f"{clean(str(source))}: {error.strerror}: restore it, or run `melodygan lock`"
        ) from None


def _row(
    track: LockedTrack, file: Path, sha256: str, truth: dict[str, str] | None
) -> dict[str, Any]:
    return {
        "track": track.track,
        "label": clean(track.label),
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
