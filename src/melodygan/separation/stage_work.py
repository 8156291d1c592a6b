"""The separate stage: every raw track into 16-bit stems, and a score where the truth is known."""

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.decode import AudioError, decode, to_stereo
from melodygan.pipeline import Stage
from melodygan.pipeline.files import (
    atomic_dir,
    digest,
    read_json,
    read_rows,
    sha256_file,
    write_json,
    write_rows,
)
from melodygan.pipeline.tracks import Job, map_tracks
from melodygan.separation.model_folder import fingerprint, provide
from melodygan.separation.separate import SAMPLE_RATE, Float, StemSeparator
from melodygan.separation.si_sdr import si_sdr

FULL_SCALE = 32768  # of 16 bit
RESULT = "result.json"


@dataclass(frozen=True)
class SeparateParams:
    """Params group `separate`."""

    enabled: bool
    model: str  # `demo` or the file name of a UVR model


def separate_tracks(stage: Stage, params: SeparateParams, raw: Path, stems: Path) -> list[Any]:
    """Separate all tracks of the folder `raw` into the new folder `stems`; return its index rows.

    Raises UserError when the model cannot be used. A file that cannot be decoded is a row with
    the reason under `rejected`.
    """
    rows = read_rows(raw / "index.jsonl")
    model = params.model if params.enabled else None
    if model is not None:
        provide(model)
    jobs = [
        Job(
            row["track"],
            digest([row["sha256"], row["start"], row["end"]]),
            (str(raw / row["file"]), row["start"], row["end"], model),
        )
        for row in rows
    ]
    key = {"separation": None if model is None else fingerprint(model)}
    folders = map_tracks(stage, jobs, separate_file, key)
    with atomic_dir(stems) as target:
        index = [_collect(row, folders[row["track"]], target) for row in rows]
        index.sort(key=lambda row: row["track"])
        write_rows(target / "index.jsonl", index)
    return index


def separate_file(
    folder: Path, file: str, start: float | None, end: float | None, model: str | None
) -> None:
    """Write the stems of one file as FLAC into `folder`, or why it cannot be decoded.

    start, end: the part to take, s. model: None writes the mix only.
    """
    try:
        audio, _ = decode(Path(file), SAMPLE_RATE, start, end)
    except AudioError as error:
        write_json(folder / RESULT, {"rejected": error.reason})
        return
    mix = to_stereo(audio)
    stems = {"mix": mix} if model is None else _separator(model).separate(mix)
    for stem, samples in quantise(stems).items():
        soundfile.write(folder / f"{stem}.flac", samples, SAMPLE_RATE, subtype="PCM_16")
    hashes = {stem: sha256_file(folder / f"{stem}.flac") for stem in stems}
    write_json(folder / RESULT, {"sha256": hashes})


@lru_cache(maxsize=1)
def _separator(model: str) -> StemSeparator:
    return StemSeparator(model)


def quantise(stems: dict[str, Float]) -> dict[str, NDArray[np.int16]]:
    """Stems as 16-bit integers that sum to the 16-bit mix exactly.

    All are turned down alike where one, or the mix, would clip.
    """
    mix = np.sum(list(stems.values()), axis=0)
    peak = max(float(np.abs(samples).max()) for samples in (mix, *stems.values()))
    # the last stem is a difference of rounded numbers: it needs room for one unit more
    gain = FULL_SCALE * min(1.0, (FULL_SCALE - 2) / FULL_SCALE / max(peak, 1e-9))
    *first, last = stems
    rounded = {stem: np.rint(stems[stem] * gain).astype(np.int32) for stem in first}
    total = np.rint(mix * gain).astype(np.int32)
    rounded[last] = total - sum(rounded.values())
    return {stem: samples.astype(np.int16) for stem, samples in rounded.items()}


def _collect(row: dict[str, Any], folder: Path, target: Path) -> dict[str, Any]:
    """Copy a track's stems into the stage's output; return its index row."""
    kept = {key: row[key] for key in ("track", "label", "ordinal", "title", "licence", "file")}
    result = read_json(folder / RESULT)
    if "rejected" in result:
        return kept | result
    names = {stem: f"{row['track']}.{stem}.flac" for stem in result["sha256"]}
    for stem, name in names.items():
        shutil.copyfile(folder / f"{stem}.flac", target / name)
    return kept | {"stems": names, "sha256": result["sha256"]}


def score(raw: Path, stems: Path) -> dict[str, Any]:
    """SI-SDR improvement over the mix, in dB, on the tracks whose true vocals are known.

    A track's improvement is the mean over its two stems. Every demo track counts, whatever its
    split: the demo model was trained on ordinals from 1000 on, other models on other music.
    Tracks without any singing, or with nothing else, have no score.
    """
    index = {row["track"]: row for row in read_rows(stems / "index.jsonl")}
    gains = []
    for row in read_rows(raw / "index.jsonl"):
        names = index[row["track"]].get("stems", {})
        if row["truth"] and "vocals" in names:
            estimates = [decode(stems / names[stem])[0] for stem in ("vocals", "instrumental")]
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
