"""The preprocess stage: stems into clean mono tracks, split for training, in a few shards."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from melodygan.audio.loudness import SHORTEST
from melodygan.audio.source import Extent
from melodygan.dataset.clean import (
    RESULT,
    CleanSettings,
    clean_track,
    write_rejected,
)
from melodygan.dataset.moves import tell_moves
from melodygan.dataset.npy import NpyWriter
from melodygan.dataset.recordings import PRINT, SAME, same_recordings
from melodygan.dataset.shards import pieces, shard_of, shard_path, write_shards
from melodygan.dataset.split import SPLITS, splits_of
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import (
    atomic_dir,
    digest,
    read_json,
    read_rows,
    write_json,
    write_rows,
)
from melodygan.pipeline.params import Range
from melodygan.pipeline.stage import Stage
from melodygan.pipeline.tracks import Job, map_tracks

Row = dict[str, Any]
Stem = Literal["vocals", "instrumental", "mix"]
Fraction = Annotated[float, Range(gt=0, lt=1)]
# columns of the index that are no part of a result
_PLACE = ("track", "stem", "label", "split", "shard", "start", "print_start", "print_frames")
_PIECE = 1 << 22  # samples


@dataclass(frozen=True)
class PreprocessParams:
    """Params group `preprocess`."""

    stems: list[Stem]
    min_seconds: Annotated[float, Range(ge=SHORTEST)]
    silence_db: Annotated[float, Range(lt=0)]  # relative to the loudest block
    silence_gap: Annotated[float, Range(ge=0)]  # s
    noise_margin_db: Annotated[float, Range(gt=0, le=20)]
    loudness_lufs: Annotated[float, Range(ge=-60, le=0)]
    true_peak_db: Annotated[float, Range(ge=-60, le=0)]
    max_clipped: Annotated[float, Range(ge=0, le=1)]  # fraction of the samples
    validation: Fraction
    test: Fraction
    shards: Annotated[int, Range(ge=1, le=1000)]

    def __post_init__(self) -> None:
        if not self.stems or len(set(self.stems)) < len(self.stems):
            raise ValueError(f"stems must name at least one stem, and each once, not {self.stems}")
        if self.validation + self.test >= 1:
            raise ValueError("validation + test leave nothing to train on: lower them below 1")

    def settings(self, sample_rate: int) -> CleanSettings:
        """What a single track's result depends on: neither splits nor shards."""
        return CleanSettings(
            min_seconds=self.min_seconds,
            silence_db=self.silence_db,
            silence_gap=self.silence_gap,
            noise_margin_db=self.noise_margin_db,
            loudness_lufs=self.loudness_lufs,
            true_peak_db=self.true_peak_db,
            max_clipped=self.max_clipped,
            sample_rate=sample_rate,
        )


def preprocess(
    stage: Stage,
    params: PreprocessParams,
    sample_rate: int,
    source: Path,
    target: Path,
    metrics: Path,
) -> None:
    """From data/stems (`source`) make data/clean (`target`) and metrics/preprocess.json.

    sample_rate: Hz of the clean audio. Raises UserError when a stem that is asked for was never
    made, or when no track is usable, with the reasons.
    """
    rows = sorted(read_rows(source / "index.jsonl"), key=lambda row: row["track"])
    params = replace(params, stems=_distinct(params.stems, rows))
    folders = _run(stage, rows, params, params.settings(sample_rate), source, target)
    results = {
        row["track"]: read_json(folders[row["track"]] / RESULT) if row["track"] in folders else row
        for row in rows
    }
    usable = [row for row in rows if "rejected" not in results[row["track"]]]
    for track, first in same_recordings(usable, folders).items():
        results[track] = {"rejected": SAME + first}
    rejects: list[Row] = []
    accepted: list[Row] = []
    splits = _splits(rows, results, params)
    for row in rows:
        result = results[row["track"]]
        if "rejected" in result:
            common = {"track": row["track"], "file": row["file"]}
            rejects.append(common | {"rejected": result["rejected"]})
        else:
            accepted += _accepted_rows(row, result, splits[row["track"]], params)
    if not accepted:
        raise UserError(_nothing_left(rejects))
    with atomic_dir(target) as folder:
        _write_shards(folder, accepted, folders)
        index = sorted(accepted + rejects, key=lambda row: row["track"])  # stable: stems stay
        write_rows(folder / "index.jsonl", index)
        write_json(folder / "meta.json", {"sample_rate": sample_rate, "stems": params.stems})
    write_json(metrics, _summary(accepted, rejects, params.stems[0], sample_rate))
    tell_moves(splits)
    if rejects:
        print(f"preprocess: {len(rejects)} of {len(rows)} tracks rejected, see {metrics}")


def _splits(
    rows: Sequence[Row], results: Mapping[str, Row], params: PreprocessParams
) -> dict[str, str]:
    """The split of each usable track."""
    labels: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        if "rejected" not in results[row["track"]]:
            labels[row["label"]][row["track"]] = row["ordinal"]
    splits: dict[str, str] = {}
    for ordinals in labels.values():
        splits |= splits_of(ordinals, params.validation, params.test)
    return splits


def _run(
    stage: Stage,
    rows: Sequence[Row],
    params: PreprocessParams,
    settings: CleanSettings,
    source: Path,
    target: Path,
) -> dict[str, Path]:
    """Folder of results of each track that separation did not reject."""
    jobs = []
    for row in rows:
        if "rejected" in row:
            continue
        files = {stem: _extent(source, place) for stem, place in row["stems"].items()}
        stems = _choose(params.stems, row)
        # a list: the first one decides
        content = digest([list(stems.items()), row["sha256"], row["clipped"]])
        shards = {source / _shard(place) for place in row["stems"].values()}
        arguments = (files, stems, row["clipped"], settings)
        jobs.append(Job(row["track"], content, arguments, tuple(shards)))
    restore = (target, _restore)
    return map_tracks(stage, jobs, clean_track, asdict(settings), write_rejected, restore)


def _extent(source: Path, place: Row) -> Extent:
    """Where a stem lies, by its place in the index of data/stems."""
    path = source / _shard(place)
    if not path.is_file():
        raise UserError(f"{path} is missing: run `dvc repro -f separate`")
    # absolute, for a worker process may have been started elsewhere
    return Extent(path.resolve(), place["offset"], place["bytes"])


def _shard(place: Row) -> str:
    return f"stems-{place['shard']:02d}.tar"


def _distinct(wanted: Sequence[Stem], rows: Sequence[Row]) -> list[Stem]:
    """The wanted stems, without those that are in every track the same sound as one before them.

    So it is without separation, of which a line tells.
    """
    chosen = [_choose(wanted, row) for row in rows if "rejected" not in row]
    firsts: dict[tuple[str, ...], Stem] = {}
    for stem in wanted:
        firsts.setdefault(tuple(stems[stem] for stems in chosen), stem)
    kept = list(firsts.values())
    if chosen and len(kept) < len(wanted):
        again = ", ".join(stem for stem in wanted if stem not in kept)
        print(f"preprocess: nothing is separated: {again} is what {kept[0]} is, and is left out")
    elif substituted := sum(stems.get("instrumental") == "mix" for stems in chosen):
        print(f"preprocess: {substituted} tracks are not separated: their mix is `instrumental`")
    return kept


def _choose(wanted: Sequence[str], row: Row) -> dict[str, str]:
    """Which stem file, or `mix`, each wanted stem of one track is made from.

    Without separation there is only the mix, which stands in for the instrumental: whoever
    turns separation off has music without vocals, or does not mind them.
    """
    chosen = {}
    for stem in wanted:
        if stem in row["stems"] or stem == "mix":
            chosen[stem] = stem
        elif stem == "instrumental" and "mix" in row["stems"]:
            chosen[stem] = "mix"
        else:
            raise UserError(
                f"params.yaml: preprocess.stems asks for {stem}, but {row['file']} has only "
                f"{', '.join(row['stems'])}: set separate.enabled to true, or remove {stem}"
            )
    return chosen


def _accepted_rows(row: Row, result: Row, split: str, params: PreprocessParams) -> list[Row]:
    """Index rows of one track, one per stem, without their place in the shard."""
    common = {
        "track": row["track"],
        "label": row["label"],
        "split": split,
        "shard": shard_of(row["track"], params.shards),
    }
    return [common | {"stem": stem} | result[stem] for stem in params.stems]


def _write_shards(target: Path, rows: Sequence[Row], folders: dict[str, Path]) -> None:
    """Write the samples of all rows, in order, and note in each row where they start."""
    shards = [row["shard"] for row in rows]
    samples = [folders[row["track"]] / f"{row['stem']}.npy" for row in rows]
    prints = [folders[row["track"]] / PRINT for row in rows]
    places = zip(
        rows,
        write_shards(target, "audio", shards, samples),
        write_shards(target, "print", shards, prints),
        strict=True,
    )
    for row, (start, _), (print_start, frames) in places:
        row |= {"start": start, "print_start": print_start, "print_frames": frames}


def restore_clean(rows: Sequence[Row], source: Path, folder: Path) -> bool:
    """Write into `folder` the files that `clean_track` wrote for a track.

    rows: all that the index of `source`, a data/clean, has of the track. False, and nothing, for
    one that was left out as a duplicate, since its samples are not there.
    """
    if reason := rows[0].get("rejected"):
        if reason.startswith(SAME):
            return False
        write_rejected(folder, reason)
        return True
    for row in rows:
        _cut_out(source, "audio", row, "start", row["samples"], folder / f"{row['stem']}.npy")
    _cut_out(source, "print", rows[0], "print_start", rows[0]["print_frames"], folder / PRINT)
    results = {row["stem"]: {k: row[k] for k in row.keys() - set(_PLACE)} for row in rows}
    write_json(folder / RESULT, results)
    return True


def _cut_out(source: Path, kind: str, row: Row, start: str, length: int, path: Path) -> None:
    shard = shard_path(source, kind, row["shard"])
    with NpyWriter(path, (length,), np.load(shard, mmap_mode="r").dtype) as file:
        for piece in pieces(shard, row[start], length, _PIECE):
            file.append(piece)


@lru_cache(maxsize=1)
def _rows(source: Path) -> dict[str, list[Row]]:
    """The index rows of a data/clean by track."""
    rows: dict[str, list[Row]] = {}
    for row in read_rows(source / "index.jsonl"):
        rows.setdefault(row["track"], []).append(row)
    return rows


def _restore(track: str, source: Path, folder: Path) -> bool:
    return restore_clean(_rows(source)[track], source, folder)


def _summary(rows: Sequence[Row], rejects: Sequence[Row], stem: str, rate: int) -> Row:
    """metrics/preprocess.json: tracks and minutes of `stem`, and why others were left out."""
    tracks = [row for row in rows if row["stem"] == stem]
    splits = Counter((row["label"], row["split"]) for row in tracks)
    return {
        "tracks": {"accepted": len(tracks), "rejected": len(rejects)},
        "minutes": {"total": round(sum(row["samples"] for row in tracks) / rate / 60, 3)},
        "labels": {
            label: {split: splits[label, split] for split in SPLITS}
            for label in sorted({row["label"] for row in tracks})
        },
        "duplicates": sum(row["rejected"].startswith(SAME) for row in rejects),
        "rejects": [{"file": row["file"], "reason": row["rejected"]} for row in rejects],
    }


def _nothing_left(rejects: Sequence[Row]) -> str:
    if not rejects:
        return "there are no tracks: add some to data/sources.yaml and run `melodygan lock`"
    # what stands in brackets differs from track to track
    reasons = Counter(row["rejected"].split(" (")[0] for row in rejects)
    counts = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    return (
        f"none of the {len(rejects)} tracks is usable: {counts}: add other tracks to "
        "data/sources.yaml, or change the limits in the preprocess group of params.yaml"
    )
