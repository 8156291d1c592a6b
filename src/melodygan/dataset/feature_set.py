"""Reading data/features: memory-mapped log-mel of whole tracks, and patches cut from them."""

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.dataset.npy import map_rows
from melodygan.dataset.shards import shard_path
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import as_written, read_json, read_rows, text, whole

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """One stem of one track. mel: log-mel, shape (frames, n_mels), memory-mapped."""

    track: str
    stem: str
    label: str
    split: str
    mel: Float


class FeatureSet:
    """The output of the features stage, checked against the mel configuration in use.

    stems: those of `preprocess.stems`; stem: the first of them, which models train on.
    """

    def __init__(self, folder: Path, audio: MelConfig) -> None:
        self.folder, self.audio = folder, audio
        meta = read_json(folder / "meta.json")
        with as_written(folder / "meta.json"):
            audio.require(meta["audio"], str(folder))
            self.labels = [text(label) for label in meta["labels"]]
            self.stems = stems = [text(stem) for stem in meta["stems"]]
            self.stem = stems[0]
            self._statistics = {stem: _mean_and_std(meta["statistics"][stem]) for stem in stems}
        self._meta = meta
        rows = read_rows(folder / "index.jsonl")
        shards: dict[int, Float] = {}
        with as_written(folder / "index.jsonl"):
            self._tracks = [self._track(row, shards) for row in rows]

    def _track(self, row: dict[str, Any], shards: dict[int, Float]) -> Track:
        """The track of a row of the index. shards: those that are mapped already."""
        shard, start, frames = (whole(row[key]) for key in ("shard", "start", "frames"))
        if shard not in shards:
            path = shard_path(self.folder, "mel", shard)
            shards[shard] = map_rows(path, np.float32, self.audio.n_mels)
        mel = shards[shard][start : start + frames]
        if not 0 < len(mel) == frames:
            raise ValueError(f"frames {start} to {start + frames} of shard {shard}")
        track, stem, label, split = (text(row[key]) for key in ("track", "stem", "label", "split"))
        return Track(track, stem, label, split, mel)

    def only(self, wanted: Callable[[Track], bool]) -> Self:
        """The same set with some of its tracks; `statistics` stay those of all."""
        part = copy(self)
        part._tracks = [track for track in self._tracks if wanted(track)]
        return part

    @property
    def n_mfcc(self) -> int:
        """How many MFCC its pooled vectors sum up."""
        return self._size("n_mfcc")

    @property
    def pooling(self) -> tuple[int, int]:
        """Length of the windows of its pooled vectors, and their hop (frames)."""
        return self._size("pool_frames"), self._size("pool_hop")

    def _size(self, key: str) -> int:
        with as_written(self.folder / "meta.json"):
            return whole(self._meta[key])

    def has(self, split: str, label: str) -> bool:
        """Whether a label has any track in a split."""
        return bool(self._select(split, label, None))

    def tracks(self, split: str, label: str | None = None, stem: str | None = None) -> list[Track]:
        """Tracks of a split (train | validation | test), of one label or of all.

        Raises UserError when there are none: no consumer can go on without.
        """
        chosen = self._select(split, label, stem)
        if not chosen:
            wanted = f" with label {label}" if label else ""
            wanted += f" of stem {stem} (preprocess.stems)" if stem else ""
            raise UserError(
                f"{self.folder}: no {split} track{wanted}: add tracks to data/sources.yaml "
                "(a label needs three to have one in each split), or see the rejects in "
                "metrics/preprocess.json"
            )
        return chosen

    def _select(self, split: str, label: str | None, stem: str | None) -> list[Track]:
        return [
            track
            for track in self._tracks
            if track.split == split
            and track.stem == (stem or self.stem)
            and label in (None, track.label)
        ]

    def statistics(self, stem: str | None = None) -> tuple[float, float]:
        """Mean and standard deviation of the log-mel over the train split (ln units)."""
        return self._statistics[stem or self.stem]


def _mean_and_std(values: dict[str, Any]) -> tuple[float, float]:
    mean, std = float(values["mean"]), float(values["std"])
    if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
        raise ValueError(f"mean {mean}, std {std}")
    return mean, std


class Patches:
    """Random and regular patches of `frames` frames cut from tracks.

    Tracks shorter than a patch are left out; UserError if none is long enough.
    """

    def __init__(self, tracks: Sequence[Track], frames: int) -> None:
        self.frames = frames
        self.tracks = [track for track in tracks if len(track.mel) >= frames]
        if not self.tracks:
            longest = max(len(track.mel) for track in tracks)
            raise UserError(
                f"no track has {frames} frames (the longest has {longest}): lower `frames` in "
                "params.yaml, or add longer tracks"
            )
        self._room = np.array([len(track.mel) - frames + 1 for track in self.tracks])  # positions

    def random(self, count: int, rng: np.random.Generator) -> Float:
        """`count` patches, all positions equally likely; (count, frames, n_mels)."""
        return self.at(self.places(count, rng))

    def places(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """`count` random positions, for `at` of this and of other stems' patches."""
        return rng.integers(0, self._room.sum(), count)

    def at(self, places: NDArray[np.int64]) -> Float:
        """The patches at positions that `places` drew; (count, frames, n_mels)."""
        return self._cut(places, self._room, 1)

    def regular(self, hop: int, limit: int | None = None) -> Float:
        """Patches every `hop` frames, thinned out evenly to `limit`; (n, frames, n_mels)."""
        return self._cut(*self._grid(hop, limit), hop)

    def regular_tracks(self, hop: int, limit: int | None = None) -> list[str]:
        """The track of each patch that `regular` gives."""
        places, counts = self._grid(hop, limit)
        which = np.searchsorted(np.cumsum(counts), places, side="right")
        return [self.tracks[index].track for index in which]

    def _grid(self, hop: int, limit: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        counts = -(-self._room // hop)
        places = np.arange(counts.sum())
        if limit is not None and len(places) > limit:
            places = np.linspace(0, len(places) - 1, limit).round().astype(int)
        return places, counts

    def _cut(self, places: NDArray[np.int64], counts: NDArray[np.int64], hop: int) -> Float:
        """Patches by `places` among all those at steps of `hop`, `counts` of each track."""
        ends = np.cumsum(counts)
        which = np.searchsorted(ends, places, side="right")
        starts = (places - (ends - counts)[which]) * hop
        chosen = zip(which.tolist(), starts.tolist(), strict=True)
        return np.stack([self.tracks[i].mel[s : s + self.frames] for i, s in chosen])


def patches_of_stems(
    features: FeatureSet, split: str, stems: Sequence[str], frames: int
) -> list[Patches]:
    """Patches of several stems of the same tracks: positions drawn for one are good for all.

    All stems of a track have the same cuts, so one position is one moment of the song.
    Raises UserError when no track has all the stems.
    """
    by_stem = [{t.track: t for t in features.tracks(split, stem=stem)} for stem in stems]
    common = [name for name in by_stem[0] if all(name in tracks for tracks in by_stem)]
    if not common:
        raise UserError(
            f"no {split} track has the stems {', '.join(stems)} together: name them in "
            "preprocess.stems in params.yaml"
        )
    return [Patches([tracks[name] for name in common], frames) for tracks in by_stem]
