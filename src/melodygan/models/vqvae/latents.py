"""Latents of a collection, for models that learn to invent them."""

import numpy as np
import torch
from torch import Tensor

from melodygan.dataset.feature_set import FeatureSet, Patches
from melodygan.models.vqvae.model import TrainedVQVAE


class LatentCrops:
    """Continuous latents of whole training tracks, standardised, and random crops of them.

    width: latent columns of a crop. mean, std: (code_dim, 1, 1), per channel, of all tracks.
    """

    def __init__(self, features: FeatureSet, vqvae: TrainedVQVAE) -> None:
        self.width = vqvae.latent_shape[2]
        self.tracks: list[Tensor] = []
        for track in Patches(features.tracks("train"), vqvae.params.frames).tracks:
            usable = len(track.mel) - len(track.mel) % vqvae.params.stride
            self.tracks.append(vqvae.latents(track.mel[None, :usable])[0].cpu())
        flat = torch.cat([track.flatten(1) for track in self.tracks], 1)
        shape = (len(flat), 1, 1)
        self.mean = flat.mean(1).reshape(shape)
        self.std = flat.std(1).clamp_min(1e-6).reshape(shape)

    def random(self, count: int, rng: np.random.Generator) -> Tensor:
        """`count` standardised crops, all positions equally likely: (count, dim, height, width)."""
        room = np.array([track.shape[2] - self.width + 1 for track in self.tracks])
        which = rng.choice(len(room), count, p=room / room.sum())
        starts = rng.integers(0, room[which])
        crops = [
            self.tracks[track][:, :, start : start + self.width]
            for track, start in zip(which, starts, strict=True)
        ]
        return (torch.stack(crops) - self.mean) / self.std
