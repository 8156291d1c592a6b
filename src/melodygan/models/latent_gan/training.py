"""Losses of the latent GAN, its validation by set distance, and its test scores."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.blocks.adversarial import (
    vanilla_discriminator,
    vanilla_generator,
    zero_centred_penalty,
)
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Discriminator, Generator
from melodygan.models.vqvae.judged import real_sets
from melodygan.models.vqvae.latents import LatentCrops, track_latents
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.scores.claims import set_claim, timbre_claim
from melodygan.scores.sets import Scores, spread
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update, frozen
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

WATCHED = ("kernel_distance", "time_distance")  # while training: what is heard, and when


class LatentGANTask(Task):
    """Non-saturating GAN with gradient penalties on real and generated latents (R1, R2)."""

    params_type = LatentGANParams
    used = ("generator",)
    averaged = ("generator",)
    score = "distance"
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

    def __init__(self, params: LatentGANParams, data: Data) -> None:
        self.params, self.features = params, data.features
        self.audio, self.seed = data.audio, data.seed
        self.vqvae = TrainedVQVAE.load(data.model("vqvae"), data.audio)
        self.helpers = (self.vqvae.network,)
        self.average_decay = params.average_decay
        train, frames = data.features.tracks("train"), self.vqvae.params.frames
        latents = data.once("latents", lambda: track_latents(train, self.vqvae, frames))
        self.latents = LatentCrops(train, self.vqvae, params.components, frames, latents)
        shape = self.latents.shape
        self.generator = Generator(params.noise_dim, params.channels, shape)
        self.discriminator = Discriminator(params.channels, shape)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimisers = {
            name: optimisers.Adam(network.parameters(), params.lr, betas=(0.0, 0.99), fused=True)
            for name, network in self.networks.items()
        }
        sources = data.features, self.vqvae, "validation", self.seed
        self.real = data.once("real sets", lambda: real_sets(*sources))

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of the training tracks' whitened latents, and noise for both."""
        latents = self.latents.random(self.params.batch_size, rng)
        noise = rng.standard_normal((2, len(latents), self.params.noise_dim), np.float32)
        return {
            "latents": latents,
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
        loss = vanilla_discriminator(on_real, on_fake)
        logs = {"real_logit": on_real.mean(), "fake_logit": on_fake.mean()}
        if penalise:
            penalty = zero_centred_penalty(on_real, real) + zero_centred_penalty(on_fake, fake)
            # scaled up because it acts on every `penalty_every`-th step only
            loss = loss + 0.5 * self.params.penalty * self.params.penalty_every * penalty
        yield Update("discriminator", loss, logs)
        with frozen(self.discriminator):
            loss = vanilla_generator(self.discriminator(self.generator(batch["generator_noise"])))
        yield Update("generator", loss)

    def validate(self) -> dict[str, float]:
        """Distances of samples to validation tracks, and their spread beside the tracks'.

        distance, by which weights are chosen: the sum of the kernel distance, which is deaf to
        order in time, and the time distance, which hears little else.
        """
        samples = self._invent(self.real.count)
        values = self.real.values(samples, WATCHED)
        values["distance"] = values["kernel_distance"] + values["time_distance"]
        return values | {"spread": spread(samples) / max(self.real.spread, 1e-6)}

    def samples(self) -> dict[str, Float]:
        """Two invented clips, from the same noise each time."""
        return {f"clip-{i}": mel for i, mel in enumerate(self._invent(2))}

    def _invent(self, count: int) -> Float:
        return self.trained().sample(count, self.seed + 1)

    def trained(self) -> TrainedLatentGAN:
        """The model in its present state."""
        latents = self.latents
        return TrainedLatentGAN(
            self.generator, self.params, self.vqvae, latents.mean, latents.basis
        )

    def test(self) -> Scores:
        """Set distances of samples to test tracks."""
        real = real_sets(self.features, self.vqvae, "test", self.seed)
        return real.scores(self.trained().sample(real.count, self.seed))

    def claim(self, scores: Scores) -> Claim:
        """How much more like music in time the samples are than real sound without order."""
        return set_claim(scores)

    def besides(self, scores: Scores) -> tuple[Claim]:
        """That they are nearer to music than noise in timbre and level."""
        return (timbre_claim(scores),)
