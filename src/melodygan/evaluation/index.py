"""data/generated as it lies there: which clips there are, what they sound like, and as log-mel."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, log_mel
from melodygan.audio.pcm import from_int16
from melodygan.pipeline.files import read_rows

Float = NDArray[np.float32]


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
        return from_int16(soundfile.read(self.path, dtype="int16")[0])

    @cached_property
    def mel(self) -> Float:
        """Log-mel (frames, n_mels) at the level at which it was made, as that of real tracks."""
        return log_mel(self.sound * np.float32(max(1.0, self.peak)), self.audio)


def read_index(folder: Path, audio: MelConfig) -> dict[tuple[str, str], list[Made]]:
    """All clips of data/generated (`folder`) by model and kind."""
    groups: dict[tuple[str, str], list[Made]] = {}
    for row in read_rows(folder / "index.jsonl"):
        keys = ("model", "kind", "track", "source", "label", "peak")
        fields = {key: row[key] for key in keys}
        made = Made(path=folder / f"{row['name']}.wav", audio=audio, **fields)
        groups.setdefault((made.model, made.kind), []).append(made)
    return dict(sorted(groups.items()))
