"""Reading data/clean: memory-mapped sound of whole tracks, and crops cut from it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.pcm import from_int16
from melodygan.dataset.shards import shard_path
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_rows

Float = NDArray[np.float32]
TRACKS = 64  # of a split are scored at most, spread evenly


class CleanAudio:
    """The sound of one stem of the tracks of one split."""

    def __init__(self, folder: Path, split: str, stem: str) -> None:
        self.names: list[str] = []
        self.tracks: list[NDArray[np.int16]] = []
        for row in read_rows(folder / "index.jsonl"):
            if row.get("split") == split and row["stem"] == stem:
                shard = np.load(shard_path(folder, "audio", row["shard"]), mmap_mode="r")
                self.names.append(row["track"])
                self.tracks.append(shard[row["start"] : row["start"] + row["samples"]])
        if not self.tracks:
            raise UserError(
                f"{folder}: no {split} track of stem {stem}: add tracks to data/sources.yaml, or "
                "see the rejects in metrics/preprocess.json"
            )

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
        chosen = self.tracks
        if len(chosen) > TRACKS:
            places = np.linspace(0, len(chosen) - 1, TRACKS).round().astype(int)
            chosen = [chosen[i] for i in places]
        return [from_int16(track[:samples]) for track in chosen]
