"""A few seconds of one track and of its stems, to be heard on the page of results."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from melodygan.audio.decode import Extent, decode, to_mono
from melodygan.audio.pcm import to_int16
from melodygan.audio.pieces import Float
from melodygan.pipeline.files import atomic_dir, read_rows, write_json
from melodygan.separation.stage_work import extent

Row = dict[str, Any]

RATE = 22050  # Hz
SECONDS = 10
TRUE = "true "  # before the name of a stem that is known, not separated


def write_sample(raw: Path, stems: Path, folder: Path) -> None:
    """Write the mixture and the stems of one track into `folder`, as FLAC, mono, 22,050 Hz.

    Of the first track by id whose true stems are known, else of the first that was separated: the
    choice is the collection's, whatever was worked on this time. The ten seconds in which most is
    sung. `sample.json` has `track`, `label` and `files` ({what it is: name}), or nothing where no
    track was separated.
    """
    index = {row["track"]: row for row in read_rows(stems / "index.jsonl")}
    rows = sorted(read_rows(raw / "index.jsonl"), key=lambda row: (not row["truth"], row["track"]))
    row = next((r for r in rows if "vocals" in index[r["track"]].get("stems", {})), None)
    with atomic_dir(folder) as target:
        said: dict[str, Any] = {}
        if row:
            sounds = loudest(_sounds(raw, stems, row, index[row["track"]]["stems"]))
            files = {what: f"{what.replace(' ', '-')}.flac" for what in sounds}
            for what, sound in sounds.items():
                soundfile.write(target / files[what], to_int16(sound), RATE)
            said = {"track": row["track"], "label": row["label"], "files": files}
        write_json(target / "sample.json", said)


def _sounds(raw: Path, stems: Path, row: Row, places: Row) -> dict[str, Float]:
    """The mixture, then each stem behind the truth about it, if that is known; (samples,) each."""
    mixture = _mono(raw / row["file"], row["start"], row["end"])
    true = {}
    if row["truth"]:
        true["vocals"] = _mono(raw / row["truth"]["vocals"], row["start"], row["end"])
        true["instrumental"] = mixture - true["vocals"]
    sounds = {"mixture": mixture}
    for stem in ("vocals", "instrumental"):
        if stem in true:
            sounds[TRUE + stem] = true[stem]
        sounds[stem] = _mono(extent(stems, places[stem]))
    return sounds


def _mono(source: Path | Extent, start: float | None = None, end: float | None = None) -> Float:
    return to_mono(decode(source, RATE, start, end)[0])


def loudest(sounds: dict[str, Float]) -> dict[str, Float]:
    """The ten seconds of each in which the vocals, the true ones if known, have most energy."""
    vocals = sounds.get(TRUE + "vocals", sounds["vocals"]).astype(np.float64)
    energy = np.concatenate([[0.0], np.cumsum(vocals**2)])
    length = SECONDS * RATE
    starts = np.arange(0, max(1, len(vocals) - length + 1), RATE)
    ends = np.minimum(starts + length, len(vocals))
    start = int(starts[(energy[ends] - energy[starts]).argmax()])
    return {what: sound[start : start + length] for what, sound in sounds.items()}
