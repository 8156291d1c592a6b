"""data/generated as it lies there: which clips there are, what they sound like, and as log-mel."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, log_mel
from melodygan.audio.pcm import from_int16
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import as_written, read_rows, text

Float = NDArray[np.float32]

KINDS = {  # of clips, in the order in which pages show them
    "sample": "What it invents",
    "conversion": "What it converts",
    "extraction": "What it extracts",
    "reconstruction": "What it rebuilds",
}


@dataclass(frozen=True)
class Made:
    """One generated clip. path: of its WAV file; the rest as in the index of data/generated.

    peak: of the sound before it was written; above 1 the file is scaled down by it.
    """

    path: Path
    model: str
    kind: str
    track: str | None
    source: str | None
    label: str | None
    peak: float
    audio: MelConfig

    @cached_property
    def sound(self) -> Float:
        """(samples,), as it is in the file: in [-1, 1]."""
        try:
            return from_int16(soundfile.read(self.path, dtype="int16")[0])
        except soundfile.LibsndfileError as error:
            told = f"{self.path}: {error.error_string}: run `dvc repro -f generate`"
            raise UserError(told) from None

    @cached_property
    def mel(self) -> Float:
        """Log-mel (frames, n_mels) at the level at which it was made, as that of real tracks."""
        return log_mel(self.sound * np.float32(max(1.0, self.peak)), self.audio)


def read_index(folder: Path, audio: MelConfig) -> dict[tuple[str, str], list[Made]]:
    """All clips of data/generated (`folder`) by model and kind."""
    groups: dict[tuple[str, str], list[Made]] = {}
    rows = read_rows(folder / "index.jsonl")
    with as_written(folder / "index.jsonl"):
        for row in rows:
            made = _made(row, folder, audio)
            groups.setdefault((made.model, made.kind), []).append(made)
    return dict(sorted(groups.items()))


def _made(row: dict[str, Any], folder: Path, audio: MelConfig) -> Made:
    name, peak = text(row["name"]), float(row["peak"])
    place = Path(name)
    if place.is_absolute() or ".." in place.parts or not math.isfinite(peak):
        raise ValueError(f"name {name!r}, peak {peak}")
    said = {key: row[key] and text(row[key]) for key in ("track", "source", "label")}
    model, kind = text(row["model"]), text(row["kind"])
    return Made(folder / f"{name}.wav", model, kind, **said, peak=peak, audio=audio)
