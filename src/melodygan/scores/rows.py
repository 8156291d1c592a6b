"""Clips, what a score makes of them, and which of them belong to one track.

Clips of one track are not independent: whoever counts them as if they were sees differences that
four songs cannot show. So every score knows the tracks, and its interval comes from resampling
tracks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Rows:
    """One row for each clip. values: (clips, dimensions); track: (clips,), from 0 up."""

    values: Matrix
    track: Indices

    @property
    def tracks(self) -> int:
        """How many tracks the clips come from."""
        return int(self.track.max()) + 1

    def members(self) -> Matrix:
        """Which clip is of which track: ones and zeros, (tracks, clips)."""
        return (self.track == np.arange(self.tracks)[:, None]).astype(np.float64)


@dataclass(frozen=True)
class Clips:
    """Clips cut from tracks. log_mel: (clips, frames, n_mels), ln units; track: (clips,)."""

    log_mel: Float
    track: Indices

    def __len__(self) -> int:
        return len(self.log_mel)

    def take(self, chosen: Indices) -> "Clips":
        """Some of them; their tracks are numbered anew."""
        return Clips(self.log_mel[chosen], np.unique(self.track[chosen], return_inverse=True)[1])

    def through(self, change: Callable[[Float], Float]) -> "Clips":
        """The same clips changed by a function that keeps their number and shape."""
        return Clips(change(self.log_mel), self.track)

    def rows(self, hear: Callable[[Float], Matrix]) -> Rows:
        """What a score hears in them: (clips, dimensions) or (clips,)."""
        return Rows(hear(self.log_mel).reshape(len(self), -1), self.track)


def independent(log_mel: Float) -> Clips:
    """Generated clips (clips, frames, n_mels): each one stands for itself."""
    return Clips(log_mel, np.arange(len(log_mel)))


def regular(mels: Sequence[Float], frames: int, hop: int, limit: int) -> Clips:
    """Clips every `hop` frames of tracks (frames, n_mels), thinned out evenly to `limit`.

    Shorter tracks are left out. Raises UserError if all are.
    """
    places = [(i, s) for i, mel in enumerate(mels) for s in range(0, len(mel) - frames + 1, hop)]
    if len(places) > limit:
        kept = np.linspace(0, len(places) - 1, limit).round().astype(int)
        places = [places[k] for k in kept]
    return _cut(mels, frames, places)


def anywhere(mels: Sequence[Float], frames: int, count: int, rng: np.random.Generator) -> Clips:
    """`count` clips of tracks (frames, n_mels), all positions equally likely."""
    room = np.array([max(0, len(mel) - frames + 1) for mel in mels])
    ends = np.cumsum(room)
    drawn = rng.integers(0, ends[-1], count) if ends[-1] else np.empty(0, int)
    which = np.searchsorted(ends, drawn, side="right")
    starts = drawn - (ends - room)[which]
    return _cut(mels, frames, list(zip(which.tolist(), starts.tolist(), strict=True)))


def _cut(mels: Sequence[Float], frames: int, places: list[tuple[int, int]]) -> Clips:
    if not places:
        longest = max(len(mel) for mel in mels)
        raise UserError(
            f"no track has {frames} frames (the longest has {longest}): lower `frames` in "
            "params.yaml, or add longer tracks"
        )
    clips = np.stack([mels[i][start : start + frames] for i, start in places])
    return Clips(clips, np.unique([i for i, _ in places], return_inverse=True)[1])
