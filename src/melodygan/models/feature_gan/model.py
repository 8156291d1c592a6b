"""The feature GAN as other stages use it: the latent prior plays, and it says how that sounds."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.models.feature_gan.vectors import TrainedFeatureGAN
from melodygan.models.latent_prior.model import load as load_prior
from melodygan.models.latent_prior.prior import TrainedPrior
from melodygan.pipeline.errors import UserError

Float = NDArray[np.float32]

STILL = 0.05  # ln units; a band that moves less is not brought to move
MOVEMENT = 0.5  # how far towards the wanted spread a band's movement is brought
LARGEST = 2.0  # by what factor at most


class FeatureSampler:
    """Invents clips: each is one of the prior, brought to an invented vector. labels: the GAN's."""

    def __init__(self, gan: TrainedFeatureGAN, prior: TrainedPrior) -> None:
        self.gan, self.prior, self.labels = gan, prior, gan.labels

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/feature_gan, and beside it the autoencoder, the prior and its VQ-VAE.

        Raises UserError on a mel mismatch or broken files.
        """
        prior = load_prior(folder.parent / "latent_prior", audio, device)
        return cls(TrainedFeatureGAN.load(folder, audio, device), prior)

    def sample(
        self, count: int, seed: int, label: str | None = None, frames: int | None = None
    ) -> Float:
        """`count` clips of the prior, each brought to a vector: (count, frames, n_mels).

        frames: any number; None stands for the prior's usual length. Raises UserError for a label
        that it was not trained with.
        """
        if label is not None and label not in self.labels:
            known = ", ".join(self.labels)
            raise UserError(f"feature_gan knows no label {label} (known: {known})")
        rng = np.random.default_rng(seed)
        if label is None:
            chosen = rng.integers(0, len(self.labels), count).tolist()
        else:
            chosen = [self.labels.index(label)] * count
        clips = self.prior.sample(count, seed, label, frames)
        return steered(clips, self.gan.vectors(chosen, seed))

    def decoded(self, log_mel: Float) -> Float:
        """What the VQ-VAE leaves of real clips (clips, frames, n_mels) of any length."""
        return self.prior.decoded(log_mel)


def steered(clips: Float, vectors: Float) -> Float:
    """Clips (count, frames, n_mels) with the level and movement in each band of pooled vectors.

    Adaptive instance normalisation (Huang and Belongie 2017, https://arxiv.org/abs/1703.06868) of
    log-mel: the mean of each band becomes the vector's. Its spread goes half of the way only: what
    a decoder got wrong would become louder with what it got right.
    """
    bands = clips.shape[2]
    mean, spread = clips.mean(1, keepdims=True), clips.std(1, keepdims=True)
    wanted = np.maximum(vectors[:, None, bands : 2 * bands], STILL)
    gain = np.clip((wanted / np.maximum(spread, STILL)) ** MOVEMENT, 1 / LARGEST, LARGEST)
    made = (clips - mean) * gain + vectors[:, None, :bands]
    return np.maximum(made, LOG_SILENCE).astype(np.float32)


load = FeatureSampler.load
