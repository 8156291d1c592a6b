"""The features stage: log-mel, MFCC and pooled vectors of every clean track."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.features import Pooling, mfcc
from melodygan.audio.mel import PIECE, MelConfig, log_mel_part
from melodygan.audio.pcm import from_int16
from melodygan.dataset.npy import NpyWriter
from melodygan.dataset.shards import pieces, shard_path, write_shards
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import atomic_dir, read_json, read_rows, write_json, write_rows
from melodygan.pipeline.params import Range
from melodygan.pipeline.stage import Stage
from melodygan.pipeline.tracks import Job, map_tracks

Row = dict[str, Any]
_SUMS = "sums.json"
_KINDS = (  # of shards, and the columns of the index that say where a track lies in them
    ("mel", "start", "frames"),
    ("pooled", "pooled_start", "pooled_rows"),
    ("mfcc", "start", "frames"),
)
_GROUP = 64  # frames that are added up together; divides PIECE


@dataclass(frozen=True)
class FeaturesParams:
    """Params group `features`."""

    n_mfcc: Annotated[int, Range(ge=1)]
    pool_frames: Annotated[int, Range(ge=1)]  # frames of a pooled window
    pool_hop: Annotated[int, Range(ge=1)]  # frames


def track_features(
    folder: Path, shard: Path, start: int, samples: int, config: MelConfig, params: FeaturesParams
) -> None:
    """Write mel.npy, mfcc.npy, pooled.npy and the log-mel's sums of one track into `folder`.

    The track is `samples` int16 samples from `start` on in the .npy file `shard`. It is worked off
    in pieces, so that hours of audio need no more memory than minutes.
    """
    frames = config.frames(samples)
    pooling = Pooling(frames, params.pool_frames, params.pool_hop)
    bands, width = config.n_mels, 2 * (config.n_mels + params.n_mfcc)
    read, sums = _reader(shard, start), _Sums()
    buffer = np.empty((min(PIECE, frames), bands), np.float32)
    with (
        NpyWriter(folder / "mel.npy", (frames, bands)) as mel_file,
        NpyWriter(folder / "mfcc.npy", (frames, params.n_mfcc)) as mfcc_file,
        NpyWriter(folder / "pooled.npy", (pooling.windows, width)) as pooled_file,
    ):
        for first in range(0, frames, PIECE):
            mel = buffer[: frames - first]
            log_mel_part(read, samples, config, first, mel)
            cepstra = mfcc(mel, params.n_mfcc)
            sums.add(mel)
            mel_file.append(mel)
            mfcc_file.append(cepstra)
            pooled_file.append(pooling.add(mel, cepstra))
    write_json(folder / _SUMS, sums.result())


def restore_features(row: Row, source: Path, folder: Path) -> None:
    """Write into `folder` the files that `track_features` wrote for the track of `row`.

    row: the track's line of the index of `source`, a data/features.
    """
    sums = _Sums()
    for kind, start_key, length_key in _KINDS:
        shard = shard_path(source, kind, row["shard"])
        start, length = row[start_key], row[length_key]
        shape = np.load(shard, mmap_mode="r").shape
        with NpyWriter(folder / f"{kind}.npy", (length, *shape[1:])) as file:
            for piece in pieces(shard, start, length, PIECE):
                file.append(piece)
                if kind == "mel":
                    sums.add(piece)
    write_json(folder / _SUMS, sums.result())


@lru_cache(maxsize=1)
def _rows(source: Path) -> dict[str, Row]:
    """The index rows of a data/features by the names of their jobs."""
    return {_name(row): row for row in read_rows(source / "index.jsonl")}


def _restore(name: str, source: Path, folder: Path) -> bool:
    restore_features(_rows(source)[name], source, folder)
    return True


def _name(row: Row) -> str:
    return f"{row['track']}.{row['stem']}"


def _reader(shard: Path, start: int) -> Callable[[int, int], NDArray[np.float32]]:
    """Float samples by their place in the track that begins at sample `start` of `shard`."""
    mapped = np.load(shard, mmap_mode="r")
    dtype, origin = mapped.dtype, mapped.offset + start * mapped.itemsize

    def read(begin: int, end: int) -> NDArray[np.float32]:
        # no memory map: its pages would stay in memory with the track
        offset = origin + begin * dtype.itemsize
        return from_int16(np.fromfile(shard, dtype, end - begin, offset=offset))

    return read


class _Sums:
    """Sum and sum of squares of a log-mel that comes in pieces of `PIECE` frames.

    Added up in double precision by groups of frames, one after another, so that the size of the
    pieces, a multiple of the groups', changes no bit.
    """

    def __init__(self) -> None:
        self._count = 0
        self._totals = np.zeros(2)  # sum, squares

    def add(self, mel: NDArray[np.float32]) -> None:
        """Add a piece, (frames, n_mels); none may follow one that is no multiple of the group."""
        whole = len(mel) // _GROUP * _GROUP
        for part in (mel[:whole].reshape(-1, _GROUP * mel.shape[1]), mel[whole:].reshape(1, -1)):
            values = part.astype(np.float64)  # beforehand: numpy would convert buffer by buffer
            sums = np.add.reduce(values, axis=1)
            squares = np.einsum("ij,ij->i", values, values)
            for pair in zip(sums, squares, strict=True):
                self._totals += pair
        self._count += mel.size

    def result(self) -> Row:
        """Columns of sums.json."""
        total, squares = self._totals.tolist()
        return {"count": self._count, "sum": total, "squares": squares}


def make_features(
    stage: Stage, params: FeaturesParams, config: MelConfig, source: Path, target: Path
) -> None:
    """From data/clean (`source`) make data/features (`target`).

    Raises UserError when the clean audio has another sample rate than `config`, when there are
    fewer mel bands than MFCC, or when no track of a stem is in the train split.
    """
    meta = read_json(source / "meta.json")
    if meta["sample_rate"] != config.sample_rate:
        raise UserError(
            f"{source} has {meta['sample_rate']} Hz, audio.sample_rate is {config.sample_rate}: "
            "run `dvc repro preprocess`"
        )
    if params.n_mfcc > config.n_mels:
        raise UserError(
            f"params.yaml: features.n_mfcc is {params.n_mfcc}, but audio.n_mels only "
            f"{config.n_mels}: there are no more MFCC than mel bands"
        )
    rows = [row for row in read_rows(source / "index.jsonl") if "rejected" not in row]
    folders = _run(stage, rows, source, target, config, params)
    statistics = {stem: _statistics(stem, rows, folders) for stem in meta["stems"]}
    with atomic_dir(target) as folder:
        index = _write_shards(folder, rows, folders)
        write_rows(folder / "index.jsonl", index)
        write_json(
            folder / "meta.json",
            {
                "audio": config.as_dict(),
                **asdict(params),
                "labels": sorted({row["label"] for row in rows}),
                "stems": meta["stems"],
                "statistics": statistics,
            },
        )


def _run(
    stage: Stage,
    rows: Sequence[Row],
    source: Path,
    target: Path,
    config: MelConfig,
    params: FeaturesParams,
) -> list[Path]:
    """Each row's folder of results."""
    jobs = [
        Job(
            track=_name(row),
            content=row["sha256"],
            arguments=(
                shard_path(source, "audio", row["shard"]).resolve(),
                row["start"],
                row["samples"],
                config,
                params,
            ),
            reads=(shard_path(source, "audio", row["shard"]),),
        )
        for row in rows
    ]
    key = {"audio": config.as_dict(), "features": asdict(params)}
    done = map_tracks(stage, jobs, track_features, key, restore=(target, _restore))
    return [done[job.track] for job in jobs]


def _write_shards(target: Path, rows: Sequence[Row], folders: Sequence[Path]) -> list[Row]:
    """Write the shards of all kinds, grouped like the audio's, and return the index rows."""
    index: list[Row] = [
        {key: row[key] for key in ("track", "stem", "label", "split", "shard")} for row in rows
    ]
    shards = [row["shard"] for row in rows]
    for kind, start_key, length_key in _KINDS:
        parts = [folder / f"{kind}.npy" for folder in folders]
        spans = write_shards(target, kind, shards, parts)
        for row, (start, length) in zip(index, spans, strict=True):
            row |= {start_key: start, length_key: length}
    return index


def _statistics(stem: str, rows: Sequence[Row], folders: Sequence[Path]) -> dict[str, float]:
    """Mean and standard deviation of the log-mel of `stem` over the train split.

    Added up in the index's order, so that equal tracks give equal bytes.
    """
    chosen = [
        read_json(folder / _SUMS)
        for row, folder in zip(rows, folders, strict=True)
        if row["stem"] == stem and row["split"] == "train"
    ]
    count = sum(sums["count"] for sums in chosen)
    if not count:
        raise UserError(
            f"features: no {stem} track is in the train split: add tracks to data/sources.yaml, "
            "or see the rejects in metrics/preprocess.json"
        )
    mean = sum(sums["sum"] for sums in chosen) / count
    variance = sum(sums["squares"] for sums in chosen) / count - mean**2
    return {"mean": mean, "std": max(variance, 0.0) ** 0.5}
