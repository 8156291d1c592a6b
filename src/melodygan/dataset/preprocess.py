"""The preprocess stage: stems into clean mono tracks, split for training, in a few shards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from melodygan.audio.loudness import SHORTEST
from melodygan.dataset.clean import RESULT, CleanSettings, clean_track
from melodygan.dataset.shards import shard_of, shard_path, write_shard
from melodygan.dataset.split import SPLITS, split_of
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
Fraction = Annotated[float, Range(gt=0, lt=1)]


@dataclass(frozen=True)
class PreprocessParams:
    """Params group `preprocess`."""

    stems: list[Literal["vocals", "instrumental", "mix"]]
    min_seconds: Annotated[float, Range(ge=SHORTEST)]
    silence_db: Annotated[float, Range(lt=0)]  # relative to the loudest block
    silence_gap: Annotated[float, Range(ge=0)]  # s
    noise_margin_db: Annotated[float, Range(gt=0, le=20)]
    loudness_lufs: Annotated[float, Range(ge=-60, le=0)]
    true_peak_db: Annotated[float, Range(ge=-60, le=0)]
    max_clipped: Annotated[float, Range(ge=0, le=1)]  # fraction of the samples
    validation: Fraction
    test: Fraction
    shards: Annotated[int, Range(ge=1)]

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
    folders = _run(stage, rows, params, params.settings(sample_rate), source)
    rejects: list[Row] = []
    accepted: list[Row] = []
    for row in rows:
        separated = row["track"] in folders
        result = read_json(folders[row["track"]] / RESULT) if separated else row
        if "rejected" in result:
            common = {"track": row["track"], "file": row["file"]}
            rejects.append(common | {"rejected": result["rejected"]})
        else:
            accepted += _accepted_rows(row, result, params)
    if not accepted:
        raise UserError(_nothing_left(rejects))
    with atomic_dir(target) as folder:
        _write_shards(folder, accepted, folders)
        index = sorted(accepted + rejects, key=lambda row: row["track"])  # stable: stems stay
        write_rows(folder / "index.jsonl", index)
        write_json(folder / "meta.json", {"sample_rate": sample_rate, "stems": params.stems})
    write_json(metrics, _summary(accepted, rejects, params.stems[0], sample_rate))
    if rejects:
        print(f"preprocess: {len(rejects)} of {len(rows)} tracks rejected, see {metrics}")


def _run(
    stage: Stage,
    rows: Sequence[Row],
    params: PreprocessParams,
    settings: CleanSettings,
    source: Path,
) -> dict[str, Path]:
    """Folder of results of each track that separation did not reject."""
    jobs = []
    substituted = 0
    for row in rows:
        if "rejected" in row:
            continue
        for name in row["stems"].values():
            if not (source / name).is_file():
                raise UserError(f"{source / name} is missing: run `dvc repro -f separate`")
        # absolute, for a worker process may have been started elsewhere
        files = {stem: (source / name).resolve() for stem, name in row["stems"].items()}
        stems = _choose(params.stems, row)
        substituted += stems.get("instrumental") == "mix"
        content = digest([list(stems.items()), row["sha256"]])  # a list: the first one decides
        jobs.append(Job(row["track"], content, (files, stems, settings)))
    if substituted:
        print(f"preprocess: {substituted} tracks are not separated: their mix is `instrumental`")
    return map_tracks(stage, jobs, clean_track, asdict(settings))


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


def _accepted_rows(row: Row, result: Row, params: PreprocessParams) -> list[Row]:
    """Index rows of one track, one per stem, without their place in the shard."""
    common = {
        "track": row["track"],
        "label": row["label"],
        "split": split_of(row["ordinal"], params.validation, params.test),
        "shard": shard_of(row["track"], params.shards),
    }
    return [common | {"stem": stem} | result[stem] for stem in params.stems]


def _write_shards(target: Path, rows: Sequence[Row], folders: dict[str, Path]) -> None:
    """Write the samples of all rows, in order, and note in each row where they start."""
    for shard in sorted({row["shard"] for row in rows}):
        members = [row for row in rows if row["shard"] == shard]
        parts = [folders[row["track"]] / f"{row['stem']}.npy" for row in members]
        spans = write_shard(shard_path(target, "audio", shard), parts)
        for row, (start, _) in zip(members, spans, strict=True):
            row["start"] = start


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
