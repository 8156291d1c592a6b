"""Pooled vectors of tracks: what stretches of a few seconds sound like, as one row each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.features import mfcc, pooled
from melodygan.dataset.feature_set import FeatureSet

Float = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class PooledVectors:
    """Rows of several tracks.

    values: (rows, columns), columns as in `audio.features.pooled`. track: (rows,), the tracks
    numbered from 0 up. label: (rows,), places in `labels`.
    """

    values: Float
    track: Indices
    label: Indices
    labels: Sequence[str]

    @property
    def tracks(self) -> int:
        """How many tracks the rows come from."""
        return int(self.track.max()) + 1

    def thinned(self, limit: int) -> "PooledVectors":
        """At most `limit` of the rows, spread evenly; tracks without any left are gone."""
        if len(self.values) <= limit:
            return self
        kept = np.linspace(0, len(self.values) - 1, limit).round().astype(int)
        track = np.unique(self.track[kept], return_inverse=True)[1]
        return PooledVectors(self.values[kept], track, self.label[kept], self.labels)

    def by_track(self, values: NDArray[np.float64]) -> list[float]:
        """The mean over each track's rows of one value for each row, (rows,)."""
        return [float(values[self.track == track].mean()) for track in range(self.tracks)]


def pooled_vectors(features: FeatureSet, split: str, hop: int | None = None) -> PooledVectors:
    """The pooled vectors of all tracks of a split, of windows as in data/features.

    hop: frames between the starts of windows; None stands for that of data/features. They are made
    of the log-mel and not read from the shards, which have one hop; the values are the same.
    Raises UserError for a split without tracks.
    """
    tracks = features.tracks(split)
    length, usual = features.pooling
    rows = [pooled(t.mel, mfcc(t.mel, features.n_mfcc), length, hop or usual) for t in tracks]
    labels = [features.labels.index(t.label) for t in tracks]
    counts = [len(of) for of in rows]
    return PooledVectors(
        np.concatenate(rows),
        np.repeat(np.arange(len(tracks)), counts),
        np.repeat(labels, counts),
        features.labels,
    )
