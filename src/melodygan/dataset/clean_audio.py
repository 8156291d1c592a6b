"""Reading data/clean: memory-mapped sound of whole tracks, and crops cut from it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.pcm import from_int16
from melodygan.dataset.npy import map_rows
from melodygan.dataset.shards import shard_path
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import as_written, read_rows, text, whole

Float = NDArray[np.float32]
TRACKS = 64  # of a split are scored at most, spread evenly


class CleanAudio:
    """The sound of one stem of the tracks of one split. rows: their lines of the index."""

    def __init__(self, folder: Path, split: str, stem: str) -> None:
        self.folder = folder
        self.names: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.tracks: list[NDArray[np.int16]] = []
        rows = read_rows(folder / "index.jsonl")
        with as_written(folder / "index.jsonl"):
            for row in rows:
                if row.get("split") == split and row["stem"] == stem:
                    self._add(folder, row)
        if not self.tracks:
            raise UserError(
                f"{folder}: no {split} track of stem {stem}: add tracks to data/sources.yaml, or "
                "see the rejects in metrics/preprocess.json"
            )

    def _add(self, folder: Path, row: dict[str, Any]) -> None:
        shard, start, samples = (whole(row[key]) for key in ("shard", "start", "samples"))
        track = map_rows(shard_path(folder, "audio", shard), np.int16)[start : start + samples]
        if not 0 < len(track) == samples:
            raise ValueError(f"samples {start} to {start + samples} of shard {shard}")
        self.names.append(text(row["track"]))
        self.rows.append(row)
        self.tracks.append(track)

    def loudness(self) -> float:
        """Mean of the tracks' loudness, LUFS; silent ones have none."""
        with as_written(self.folder / "index.jsonl"):
            heard = [row["loudness_after_lufs"] for row in self.rows]
            return float(np.mean([level for level in heard if level is not None]))

    def random(self, count: int, samples: int, rng: np.random.Generator) -> Float:
        """`count` crops, every position of every track equally likely; (count, samples).

        Raises UserError when no track is long enough.
        """
        room = [max(0, len(track) - samples + 1) for track in self.tracks]
        ends = np.cumsum(room)
        if not ends[-1]:
            raise UserError(
                f"no track has {samples} samples, the length of a training crop: lower `frames` "
                "of the model in params.yaml"
            )
        crops = []
        for place in rng.integers(0, ends[-1], count):
            index = int(np.searchsorted(ends, place, side="right"))
            start = place - ends[index] + room[index]
            crops.append(from_int16(self.tracks[index][start : start + samples]))
        return np.stack(crops)

    def heads(self, samples: int) -> list[Float]:
        """The first `samples` of each track, (at most samples,), of at most 64 tracks."""
        tracks = dict(zip(self.names, self.tracks, strict=True))
        return [from_int16(tracks[name][:samples]) for name in self.scored]

    @property
    def scored(self) -> list[str]:
        """Names of the tracks of which `heads` gives the beginning."""
        if len(self.names) <= TRACKS:
            return self.names
        places = np.linspace(0, len(self.names) - 1, TRACKS).round().astype(int)
        return [self.names[i] for i in places]
