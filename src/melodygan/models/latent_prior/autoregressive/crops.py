"""Pieces of training tracks as codes, each one a little different from the time before."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.dataset.feature_set import Patches, Track
from melodygan.dataset.vary import frames_needed, played
from melodygan.models.latent_prior.config import AutoregressiveParams
from melodygan.models.vqvae.model import TrainedVQVAE

Float = NDArray[np.float32]


class Codes(NamedTuple):
    """codes: (pieces, books, height, columns); labels: (pieces,) indices."""

    codes: Tensor
    labels: Tensor


class Crops:
    """Codes of pieces of tracks, from any frame on, with the context that the encoder wants.

    The tracks are encoded anew for each batch, a few per cent of a training step, so that the
    same passage comes at every phase against the grid, transposed by up to `transpose` mel bands
    and played faster or slower by up to `stretch`: other codes each time. After its end a track
    begins again: had silence after a faded end nothing to follow it, music without end would stop
    there.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        labels: Sequence[str],
        vqvae: TrainedVQVAE,
        params: AutoregressiveParams,
    ) -> None:
        self.vqvae, self.params, self.margin = vqvae, params, vqvae.context
        self.frames = (params.columns + 2 * self.margin) * vqvae.params.stride
        self.longest = frames_needed(self.frames, params.stretch)
        self.tracks = Patches(tracks, self.longest).tracks
        self.labels = torch.tensor([labels.index(track.label) for track in self.tracks])
        self._ends = np.cumsum([len(track.mel) for track in self.tracks])

    def random(self, count: int, rng: np.random.Generator) -> Codes:
        """`count` pieces, all positions equally likely."""
        places = rng.integers(0, self._ends[-1], count)
        which = np.searchsorted(self._ends, places, side="right")
        starts = places - np.concatenate([[0], self._ends])[which]
        speeds = 1 + self.params.stretch * rng.uniform(-1, 1, count)
        shifts = rng.integers(-self.params.transpose, self.params.transpose + 1, count)
        rows = zip(which, starts, speeds, shifts, strict=True)
        mel = np.stack(
            [
                played(self._from(track, start), self.frames, speed, shift)
                for track, start, speed, shift in rows
            ]
        )
        latents = self._inner(self.vqvae.latents(mel))
        quantiser = self.vqvae.network.quantiser
        codes = quantiser.draw(latents, self.params.soften, int(rng.integers(1 << 62)))
        return Codes(codes.cpu(), self.labels[torch.from_numpy(which)])

    def regular(self) -> Codes:
        """Pieces that lie side by side in all tracks, unchanged."""
        hop = self.params.columns * self.vqvae.params.stride
        places = [
            (track, start)
            for track, of in enumerate(self.tracks)
            for start in range(0, len(of.mel) - self.frames + 1, hop)
        ]
        mel = np.stack([self.tracks[i].mel[s : s + self.frames] for i, s in places])
        labels = self.labels[torch.tensor([track for track, _ in places])]
        return Codes(self._inner(self.vqvae.encode(mel)).cpu(), labels)

    def _from(self, track: int, start: int) -> Float:
        frames = np.arange(start, start + self.longest)
        return self.tracks[track].mel.take(frames, axis=0, mode="wrap")

    def _inner(self, grid: Tensor) -> Tensor:
        """Without the columns that were context."""
        return grid[..., self.margin : self.margin + self.params.columns]
