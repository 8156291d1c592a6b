"""The features stage: log-mel, MFCC and pooled vectors of every clean track."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from melodygan.audio.features import mfcc, pooled
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.audio.pcm import from_int16
from melodygan.dataset.shards import shard_path, write_shard
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import atomic_dir, read_json, read_rows, write_json, write_rows
from melodygan.pipeline.params import Range
from melodygan.pipeline.stage import Stage
from melodygan.pipeline.tracks import Job, map_tracks

Row = dict[str, Any]
_SUMS = "sums.json"


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

    The track is `samples` int16 samples from `start` on in the .npy file `shard`.
    """
    audio = np.load(shard, mmap_mode="r")[start : start + samples]
    mel = log_mel(from_int16(audio), config)
    cepstra = mfcc(mel, params.n_mfcc)
    np.save(folder / "mel.npy", mel)
    np.save(folder / "mfcc.npy", cepstra)
    np.save(folder / "pooled.npy", pooled(mel, cepstra, params.pool_frames, params.pool_hop))
    sums = {
        "count": mel.size,
        "sum": float(mel.sum(dtype=np.float64)),
        "squares": float(np.square(mel, dtype=np.float64).sum()),
    }
    write_json(folder / _SUMS, sums)


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
    folders = _run(stage, rows, source, config, params)
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
    stage: Stage, rows: Sequence[Row], source: Path, config: MelConfig, params: FeaturesParams
) -> list[Path]:
    """Each row's folder of results."""
    jobs = [
        Job(
            track=f"{row['track']}.{row['stem']}",
            content=row["sha256"],
            arguments=(
                shard_path(source, "audio", row["shard"]).resolve(),
                row["start"],
                row["samples"],
                config,
                params,
            ),
        )
        for row in rows
    ]
    key = {"audio": config.as_dict(), "features": asdict(params)}
    done = map_tracks(stage, jobs, track_features, key)
    return [done[job.track] for job in jobs]


def _write_shards(target: Path, rows: Sequence[Row], folders: Sequence[Path]) -> list[Row]:
    """Write the shards of all kinds, grouped like the audio's, and return the index rows."""
    index: list[Row] = [
        {key: row[key] for key in ("track", "stem", "label", "split", "shard")} for row in rows
    ]
    for shard in sorted({row["shard"] for row in rows}):
        members = [i for i, row in enumerate(rows) if row["shard"] == shard]
        for kind, start_key, length_key in (
            ("mel", "start", "frames"),
            ("pooled", "pooled_start", "pooled_rows"),
            ("mfcc", "start", "frames"),
        ):
            parts = [folders[i] / f"{kind}.npy" for i in members]
            spans = write_shard(shard_path(target, kind, shard), parts)
            for i, (start, length) in zip(members, spans, strict=True):
                index[i] |= {start_key: start, length_key: length}
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
