"""The separate stage: every raw track into 16-bit stems, and a score where the truth is known.

A track's way: `separate_file` makes its FLACs in a folder of the side cache, in a worker process
and once only; when all tracks are there, the FLACs are copied, ordered by track, into a few tar
files, and the index says where in them each lies. `restore_stems` is the way back, for a machine
that has the stage's output but not the side cache.
"""

import shutil
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from melodygan.audio.decode import Extent, decode, to_stereo
from melodygan.audio.pieces import Float
from melodygan.pipeline import Stage
from melodygan.pipeline.files import (
    atomic_dir,
    digest,
    read_json,
    read_rows,
    write_json,
    write_rows,
)
from melodygan.pipeline.packing import pack, shard_of
from melodygan.pipeline.params import Range
from melodygan.pipeline.threads import side_by_side
from melodygan.pipeline.tracks import Job, map_tracks
from melodygan.separation.model_folder import fingerprint, provide
from melodygan.separation.separate import SAMPLE_RATE
from melodygan.separation.si_sdr import si_sdr
from melodygan.separation.track import RESULT, separate_file, write_rejected

Row = dict[str, Any]


@dataclass(frozen=True)
class SeparateParams:
    """Params group `separate`."""

    enabled: bool
    model: str  # `demo` or the file name of a UVR model
    shards: Annotated[int, Range(ge=1, le=1000)]


def separate_tracks(stage: Stage, params: SeparateParams, raw: Path, stems: Path) -> list[Row]:
    """Separate all tracks of the folder `raw` into the new folder `stems`; return its index rows.

    Raises UserError when the model cannot be used. A track that cannot be decoded, or that its
    process did not survive, is a row with the reason under `rejected`.
    """
    rows = sorted(read_rows(raw / "index.jsonl"), key=lambda row: row["track"])
    model = params.model if params.enabled else None
    if model is not None:
        provide(model)
    jobs = [
        Job(
            row["track"],
            digest([row["sha256"], row["start"], row["end"]]),
            (str(raw / row["file"]), row["start"], row["end"], model),
            (raw / row["file"],),
        )
        for row in rows
    ]
    key = {"separation": None if model is None else fingerprint(model)}
    restore = (stems, _restore)
    folders = map_tracks(stage, jobs, separate_file, key, write_rejected, restore)
    with atomic_dir(stems) as target:
        index = _pack_stems(rows, folders, params.shards, target)
        for row in index:
            if short := row.get("short"):
                print(
                    f"separate: {row['file']} ({row['title']}): its header announces "
                    f"{short['announced']} s, only {short['found']} s are in it: is it whole?"
                )
        write_rows(target / "index.jsonl", index)
    return index


def _pack_stems(rows: list[Row], folders: dict[str, Path], shards: int, target: Path) -> list[Row]:
    """Copy all tracks' stems into tar files in `target`; return the index rows.

    rows: of the raw tracks, sorted by track.
    """
    index = []
    members: dict[int, list[tuple[dict[str, Any], Path]]] = defaultdict(list)
    for row in rows:
        kept = {key: row[key] for key in ("track", "label", "ordinal", "title", "licence", "file")}
        result = read_json(folders[row["track"]] / RESULT)
        shard = shard_of(row["track"], shards)
        if "rejected" not in result:
            kept["stems"] = {
                stem: {"name": f"{row['track']}.{stem}.flac", "shard": shard}
                for stem in sorted(result["sha256"])
            }
            members[shard] += [
                (place, folders[row["track"]] / f"{stem}.flac")
                for stem, place in kept["stems"].items()
            ]
        index.append(kept | result)
    calls = [
        (_shard(target, shard), [(place["name"], path) for place, path in entries])
        for shard, entries in members.items()
    ]
    for entries, extents in zip(members.values(), side_by_side(pack, calls), strict=True):
        for (place, _), (offset, size) in zip(entries, extents, strict=True):
            place |= {"offset": offset, "bytes": size}
    return index


def _shard(stems: Path, shard: int) -> Path:
    return stems / f"stems-{shard:02d}.tar"


def extent(stems: Path, place: dict[str, Any]) -> Extent:
    """Where in the folder `stems` one stem lies; place: as the index has it."""
    return Extent(_shard(stems, place["shard"]), place["offset"], place["bytes"])


def restore_stems(row: Row, source: Path, folder: Path) -> None:
    """Write into `folder` what `separate_file` wrote for a track, from the stage's output.

    row: the track's row of the index in `source`, a copy of data/stems. Raises OSError or
    AudioError when the tar file is not there.
    """
    for stem, place in row.get("stems", {}).items():
        with extent(source, place).open() as packed, (folder / f"{stem}.flac").open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    result = ("rejected", "clipped", "sha256", "short")
    write_json(folder / RESULT, {key: row[key] for key in result if key in row})


@lru_cache(maxsize=1)
def _rows(source: Path) -> dict[str, Row]:
    """The index rows of a data/stems by track."""
    return {row["track"]: row for row in read_rows(source / "index.jsonl")}


def _restore(track: str, source: Path, folder: Path) -> bool:
    restore_stems(_rows(source)[track], source, folder)
    return True


def score(raw: Path, stems: Path) -> dict[str, Any]:
    """SI-SDR improvement over the mix, in dB, on the tracks whose true vocals are known.

    A track's improvement is the mean over its two stems. Every demo track counts, whatever its
    split: the demo model was trained on ordinals from 1000 on, other models on other music.
    Tracks without any singing, or with nothing else, have no score.
    """
    index = {row["track"]: row for row in read_rows(stems / "index.jsonl")}
    gains = []
    for row in read_rows(raw / "index.jsonl"):
        places = index[row["track"]].get("stems", {})
        if row["truth"] and "vocals" in places:
            estimates = [
                decode(extent(stems, places[stem]))[0] for stem in ("vocals", "instrumental")
            ]
            mix, vocals = (
                to_stereo(decode(raw / file, SAMPLE_RATE, row["start"], row["end"])[0])
                for file in (row["file"], row["truth"]["vocals"])
            )
            if vocals.any() and (mix - vocals).any():
                gains.append(_improvements(mix, vocals, estimates))
    counts: dict[str, Any] = {"tracks": len(index), "scored": len(gains)}
    if not gains:
        return counts
    both = np.mean(gains, axis=1)
    singing, playing = np.mean(gains, axis=0)
    means = {"mean": both.mean(), "min": both.min(), "vocals": singing, "instrumental": playing}
    return counts | {"si_sdr_improvement_db": {key: float(value) for key, value in means.items()}}


def _improvements(mix: Float, vocals: Float, estimates: list[Float]) -> list[float]:
    """SI-SDR of the estimated (vocals, instrumental) minus that of the mix, in dB."""
    return [
        si_sdr(estimate, truth) - si_sdr(mix, truth)
        for estimate, truth in zip(estimates, (vocals, mix - vocals), strict=True)
    ]
