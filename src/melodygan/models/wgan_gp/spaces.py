"""What the GAN works on: log-mel itself, or the latents of the VQ-VAE; and the way back to log-mel.

Each space has two parts: the examples, of which training draws, and the decoder, which the trained
model needs.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from melodygan.audio.layout import from_network, to_network
from melodygan.dataset.feature_set import Patches, Track
from melodygan.models.vqvae.latents import latents_of
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.wgan_gp.network import Shape
from melodygan.models.wgan_gp.scale import to_log1p, to_log_mel

Float = NDArray[np.float32]


def looped(tracks: Sequence[Track], frames: int) -> list[Track]:
    """The same tracks; those shorter than `frames` begin again and again until they have as many.

    So the critic never sees padding, which it could tell labels by; a label of short clips has a
    seam where each begins again.
    """
    return [
        track
        if len(track.mel) >= frames
        else replace(track, mel=np.resize(track.mel, (frames, track.mel.shape[1])))
        for track in tracks
    ]


class Examples(Protocol):
    """Real examples. shape: of one, as the networks have it."""

    shape: Shape

    def random(self, count: int, rng: np.random.Generator, label: str) -> Tensor:
        """`count` of a label, all positions of its tracks equally likely: (count, *shape)."""


class MelExamples:
    """Pieces of tracks on the scale of `scale.py`, (1, n_mels, frames)."""

    def __init__(self, tracks: Sequence[Track], frames: int) -> None:
        self.patches = {
            label: Patches([track for track in tracks if track.label == label], frames)
            for label in sorted({track.label for track in tracks})
        }
        self.shape = (1, tracks[0].mel.shape[1], frames)

    def random(self, count: int, rng: np.random.Generator, label: str) -> Tensor:
        """`count` of a label: (count, 1, n_mels, frames)."""
        return to_log1p(to_network(self.patches[label].random(count, rng)))[:, None]


class Decoder(Protocol):
    """From samples back to log-mel."""

    def decode(self, samples: Tensor) -> Float:
        """(batch, *shape) -> clips (clips, frames, n_mels) in ln units."""

    def round_trip(self, log_mel: Float) -> Float:
        """What the way through the space leaves of real clips (clips, frames, n_mels)."""

    def decoded(self, log_mel: Float) -> Float:
        """The same for clips of any length."""

    def weights(self) -> dict[str, Tensor]:
        """What of it is stored with the model."""


class MelDecoder:
    """The exact inverse of the scale."""

    def decode(self, samples: Tensor) -> Float:
        """(batch, 1, n_mels, frames) -> (batch, frames, n_mels)."""
        return from_network(to_log_mel(samples[:, 0].float()))

    def round_trip(self, log_mel: Float) -> Float:
        """The clips themselves."""
        return log_mel

    def decoded(self, log_mel: Float) -> Float:
        """The clips themselves."""
        return log_mel

    def weights(self) -> dict[str, Tensor]:
        """None."""
        return {}


class LatentDecoder:
    """Snaps whitened latents to codes, and decodes those. mean, basis: of LatentCrops."""

    def __init__(self, vqvae: TrainedVQVAE, mean: Tensor, basis: Tensor) -> None:
        self.vqvae, self.mean, self.basis = vqvae, mean, basis

    def decode(self, samples: Tensor) -> Float:
        """(batch, components, height, columns) -> (batch, frames, n_mels)."""
        latents = latents_of(samples.float().cpu(), self.mean, self.basis)
        return self.vqvae.decode(self.vqvae.quantise(latents))

    def round_trip(self, log_mel: Float) -> Float:
        """Through the codes."""
        return self.vqvae.round_trip(log_mel)

    def decoded(self, log_mel: Float) -> Float:
        """Through the codes."""
        return np.stack([self.vqvae.rebuild(clip) for clip in log_mel])

    def weights(self) -> dict[str, Tensor]:
        """The statistics of the latents."""
        return {"latent_mean": self.mean, "latent_basis": self.basis}
