"""Losses of the latent GAN, its validation by set distance, and its test scores."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from melodygan.dataset.feature_set import FeatureSet, Patches
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Discriminator, Generator
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.scores.sets import RealSets, Scores, spread
from melodygan.training.task import Batch, Limit, Samples, Task, Update, frozen

WATCHED = ("kernel_distance", "frechet_distance", "time_distance")  # while training


class LatentGANTask(Task):
    """Non-saturating GAN with gradient penalties on real and generated latents (R1, R2)."""

    averaged = ("generator",)
    score = "kernel_distance"
    channels_last = True
    limits = (
        Limit(
            "train",
            "discriminator_loss",
            0.05,
            5,
            "the discriminator has won",
            "lower latent_gan.lr, or raise latent_gan.penalty",
        ),
        Limit(
            "validation",
            "spread",
            0.1,
            2,
            "the samples are all alike",
            "raise latent_gan.penalty, or lower latent_gan.lr",
        ),
    )

    def __init__(
        self, params: LatentGANParams, features: FeatureSet, vqvae: TrainedVQVAE, seed: int
    ) -> None:
        self.params, self.vqvae, self.seed = params, vqvae, seed
        self.helpers = (vqvae.network,)
        self.audio = features.audio
        self.average_decay = params.average_decay
        self.width = vqvae.latent_shape[2]
        self.latents = _encode_tracks(features, vqvae)
        self.mean, self.std = _statistics(self.latents)
        self.generator = Generator(params.noise_dim, params.channels, vqvae.latent_shape)
        self.discriminator = Discriminator(params.channels, vqvae.latent_shape)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimisers = {
            name: torch.optim.Adam(network.parameters(), params.lr, betas=(0.0, 0.99), fused=True)
            for name, network in self.networks.items()
        }
        self.real = real_sets(features, vqvae, "validation", seed)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of the training tracks' latents, standardised."""
        room = np.array([track.shape[2] - self.width + 1 for track in self.latents])
        which = rng.choice(len(room), self.params.batch_size, p=room / room.sum())
        starts = rng.integers(0, room[which])
        crops = [
            self.latents[track][:, :, start : start + self.width]
            for track, start in zip(which, starts, strict=True)
        ]
        noise = rng.standard_normal((2, len(crops), self.params.noise_dim), np.float32)
        return {
            "latents": (torch.stack(crops) - self.mean) / self.std,
            "discriminator_noise": torch.from_numpy(noise[0]),
            "generator_noise": torch.from_numpy(noise[1]),
        }

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """Discriminator, then generator."""
        real = batch["latents"]
        with torch.no_grad():
            fake = self.generator(batch["discriminator_noise"])
        penalise = self.params.penalty > 0 and step % self.params.penalty_every == 0
        real, fake = real.requires_grad_(penalise), fake.requires_grad_(penalise)
        on_real, on_fake = self.discriminator(real), self.discriminator(fake)
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        logs = {"real_logit": on_real.mean(), "fake_logit": on_fake.mean()}
        if penalise:
            penalty = gradient_penalty(on_real, real) + gradient_penalty(on_fake, fake)
            # scaled up because it acts on every `penalty_every`-th step only
            loss = loss + 0.5 * self.params.penalty * self.params.penalty_every * penalty
        yield Update("discriminator", loss, logs)
        with frozen(self.discriminator):
            fake = self.generator(batch["generator_noise"])
            loss = functional.softplus(-self.discriminator(fake)).mean()
        yield Update("generator", loss)

    def validate(self) -> dict[str, float]:
        """Set distances of samples to validation tracks, and their spread beside the tracks'."""
        samples = self._invent(self.real.count)
        values = self.real.values(samples, WATCHED)
        return values | {"spread": spread(samples) / max(self.real.spread, 1e-6)}

    def samples(self) -> dict[str, Samples]:
        """Two invented clips, from the same noise each time."""
        return {f"clip-{i}": mel for i, mel in enumerate(self._invent(2))}

    def _invent(self, count: int) -> Samples:
        return _as_clips(self.trained().sample(self.vqvae, count, self.seed + 1))

    def trained(self) -> TrainedLatentGAN:
        """The model in its present state."""
        return TrainedLatentGAN(self.generator, self.params, self.mean, self.std)


def generated_scores(
    model: TrainedLatentGAN, vqvae: TrainedVQVAE, real: RealSets, seed: int
) -> Scores:
    """Scores of samples, as many as the real sets compare."""
    return real.scores(_as_clips(model.sample(vqvae, real.count, seed)))


def real_sets(features: FeatureSet, vqvae: TrainedVQVAE, held_out: str, seed: int) -> RealSets:
    """Real tracks of the training split and of the split `held_out`, to judge samples by.

    What samples went through, and anchors therefore go through too, is the VQ-VAE: the best that
    a generator of latents can do is what the decoder makes of real ones.
    """

    def rebuilt(clips: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = torch.from_numpy(clips).transpose(1, 2).split(16)
        return _as_clips(torch.cat([vqvae.decode(vqvae.encode(part)) for part in parts]))

    train, other = ([t.mel for t in features.tracks(split)] for split in ("train", held_out))
    return RealSets(train, other, vqvae.params.frames, seed, rebuilt)


def _as_clips(patches: Tensor) -> NDArray[np.float32]:
    """(count, n_mels, frames) of a network -> (count, frames, n_mels)."""
    return np.ascontiguousarray(patches.transpose(1, 2).numpy())


def _encode_tracks(features: FeatureSet, vqvae: TrainedVQVAE) -> list[Tensor]:
    """Latents of whole training tracks, each (dim, height, frames / stride)."""
    latents = []
    for track in Patches(features.tracks("train"), vqvae.params.frames).tracks:
        usable = len(track.mel) - len(track.mel) % vqvae.params.stride
        mel = torch.from_numpy(np.ascontiguousarray(track.mel[:usable].T))
        latents.append(vqvae.latents(mel[None])[0].cpu())
    return latents


def _statistics(latents: list[Tensor]) -> tuple[Tensor, Tensor]:
    flat = torch.cat([track.flatten(1) for track in latents], 1)
    shape = (len(flat), 1, 1)
    return flat.mean(1).reshape(shape), flat.std(1).clamp_min(1e-6).reshape(shape)


def gradient_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Mean squared gradient norm of the logits at the inputs (Mescheder et al. 2018)."""
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
