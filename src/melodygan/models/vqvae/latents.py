"""Latents of a collection, for models that learn to invent them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from melodygan.dataset.feature_set import Patches, Track
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.errors import UserError


def track_latents(tracks: Sequence[Track], vqvae: TrainedVQVAE, frames: int) -> list[Tensor]:
    """Latents (code_dim, height, columns) of each track of at least `frames` frames, on the CPU.

    This takes a second or two for ten minutes of music.
    """
    latents = []
    for track in Patches(tracks, frames).tracks:
        usable = len(track.mel) - len(track.mel) % vqvae.params.stride
        latents.append(vqvae.latents(track.mel[None, :usable])[0].cpu())
    return latents


class LatentCrops:
    """Whitened principal components of the latents of training tracks, and random crops of them.

    The latents' channels are so correlated that a few components hold nearly all of what the
    decoder hears; what a generator makes of those can hardly lie beside the latents' manifold.

    shape: (components, height, columns) of a crop of `frames` frames. mean: (code_dim,); basis:
    (code_dim, components), whose columns are as long as the components' standard deviations.
    labels: of the tracks. Tracks shorter than a crop are left out; UserError if all are, and for
    more components than there are. latents: what `track_latents` gives for the same tracks.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        vqvae: TrainedVQVAE,
        components: int,
        frames: int,
        latents: Sequence[Tensor],
    ) -> None:
        if components > vqvae.params.code_dim:
            raise UserError(
                f"components {components} are more than the latents have (vqvae.code_dim "
                f"{vqvae.params.code_dim}): lower them in params.yaml"
            )
        self.labels = [track.label for track in Patches(tracks, frames).tracks]
        flat = torch.cat([track.flatten(1) for track in latents], 1).double()
        mean = flat.mean(1, keepdim=True)
        variances, directions = torch.linalg.eigh((flat - mean) @ (flat - mean).T / flat.shape[1])
        scales = variances.clamp_min(1e-12).sqrt()
        basis, inverse = directions * scales, (directions / scales).T
        self.mean = mean[:, 0].float()
        # eigh sorts them the other way round
        self.basis = basis.flip(1)[:, :components].float().contiguous()
        inverse = inverse.flip(0)[:components].float()
        self.tracks = [
            torch.einsum("kd,dhw->khw", inverse, track - self.mean[:, None, None])
            for track in latents
        ]
        self.shape = (
            self.basis.shape[1],
            vqvae.latent_shape[1],
            frames // vqvae.params.stride,
        )

    def random(self, count: int, rng: np.random.Generator, label: str | None = None) -> Tensor:
        """`count` crops, all positions equally likely: (count, components, height, columns).

        label: of the tracks that they are cut from; None stands for any.
        """
        columns = self.shape[2]
        tracks = [
            track for track, of in zip(self.tracks, self.labels, strict=True) if label in (None, of)
        ]
        room = np.array([track.shape[2] - columns + 1 for track in tracks])
        which = rng.choice(len(room), count, p=room / room.sum())
        starts = rng.integers(0, room[which])
        crops = [
            tracks[track][:, :, start : start + columns]
            for track, start in zip(which, starts, strict=True)
        ]
        return torch.stack(crops)

    def balanced(
        self, count: int, rng: np.random.Generator, labels: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """`count` crops, as many of each label as of the others, and their labels' indices."""
        indices = np.sort((np.arange(count) + rng.integers(len(labels))) % len(labels))
        counts = np.bincount(indices, minlength=len(labels)).tolist()
        drawn = zip(labels, counts, strict=True)
        crops = [self.random(some, rng, label) for label, some in drawn if some]
        return torch.cat(crops), torch.from_numpy(indices)


def take_statistics(
    weights: dict[str, Tensor], vqvae: TrainedVQVAE, components: int, folder: Path
) -> tuple[Tensor, Tensor]:
    """`mean` and `basis` of LatentCrops, out of the weights of a model folder.

    Raises UserError if they are not those of this VQ-VAE.
    """
    missing, dim = torch.empty(0), vqvae.params.code_dim
    mean, basis = (weights.pop(f"latent_{name}", missing) for name in ("mean", "basis"))
    if mean.shape != (dim,) or basis.shape != (dim, components):
        raise UserError(f"{folder} does not fit models/vqvae: run `dvc repro`")
    return mean, basis


def latents_of(whitened: Tensor, mean: Tensor, basis: Tensor) -> Tensor:
    """Components (batch, components, height, columns) -> latents (batch, code_dim, ...)."""
    return torch.einsum("dk,bkhw->bdhw", basis, whitened) + mean[:, None, None]


def components_of(latents: Tensor, mean: Tensor, basis: Tensor) -> Tensor:
    """The way back: latents (batch, code_dim, height, columns) -> (batch, components, ...)."""
    inverse = basis / basis.square().sum(0)
    return torch.einsum("dk,bdhw->bkhw", inverse, latents - mean[:, None, None])
