"""Losses of the latent GAN, its validation by set distance, and its test scores."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.blocks.adversarial import (
    hinge_discriminator,
    hinge_generator,
    vanilla_discriminator,
    vanilla_generator,
    zero_centred_penalty,
)
from melodygan.blocks.wasserstein import gradient_penalty, wasserstein_estimate
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Discriminator, Generator
from melodygan.models.vqvae.judged import label_scores, real_sets
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


LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "vanilla": (vanilla_discriminator, vanilla_generator),
    "hinge": (hinge_discriminator, hinge_generator),
    "wgan_gp": (
        lambda on_real, on_fake: -wasserstein_estimate(on_real, on_fake),
        hinge_generator,  # which is the same
    ),
}


class LatentGANTask(Task):
    """GAN on whitened latents.

    With the losses `vanilla` and `hinge` the discriminator's gradient is penalised on real and on
    generated latents (R1, R2), with `wgan_gp` between them.
    """

    params_type = LatentGANParams
    used = ("generator",)
    averaged = ("generator",)
    score = "distance"
    channels_last = True
    limits: tuple[Limit, ...] = (
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
        self.labels = sorted(set(self.latents.labels)) if params.conditional else []
        shape, labels = self.latents.shape, len(self.labels)
        self.generator = Generator(params.noise_dim, params.channels, shape, labels)
        self.discriminator = Discriminator(params.channels, shape, labels)
        if params.loss == "wgan_gp":
            self.limits = self.limits[1:]  # a critic's loss is below zero, and says nothing alone
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimisers = {
            name: optimisers.Adam(network.parameters(), params.lr, betas=(0.0, 0.99), fused=True)
            for name, network in self.networks.items()
        }
        sources = data.features, self.vqvae, "validation", self.seed
        self.real = data.once("real sets", lambda: real_sets(*sources))

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of the training tracks' whitened latents, and noise for both networks.

        With labels as many of each as of the others.
        """
        size, batch = self.params.batch_size, Batch()
        if self.labels:
            batch["latents"], batch["labels"] = self.latents.balanced(size, rng, self.labels)
        else:
            batch["latents"] = self.latents.random(size, rng)
        noise = rng.standard_normal((2, size, self.params.noise_dim), np.float32)
        if self.params.loss == "wgan_gp":
            batch["mix"] = torch.from_numpy(rng.random(size, np.float32))
        return batch | {
            "discriminator_noise": torch.from_numpy(noise[0]),
            "generator_noise": torch.from_numpy(noise[1]),
        }

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """Discriminator, then generator."""
        real, labels = batch["latents"], batch.get("labels")
        of_discriminator, of_generator = LOSSES[self.params.loss]
        with torch.no_grad():
            fake = self.generator(batch["discriminator_noise"], labels)
        penalise = self.params.penalty > 0 and step % self.params.penalty_every == 0
        zero_centred = penalise and self.params.loss != "wgan_gp"
        real, fake = real.requires_grad_(zero_centred), fake.requires_grad_(zero_centred)
        on_real, on_fake = (self.discriminator(of, labels) for of in (real, fake))
        loss = of_discriminator(on_real, on_fake)
        logs = {"real_logit": on_real.mean(), "fake_logit": on_fake.mean()}
        if penalise:
            if zero_centred:
                parts = zero_centred_penalty(on_real, real), zero_centred_penalty(on_fake, fake)
                penalty = 0.5 * (parts[0] + parts[1])
            else:
                critic = partial(self.discriminator, labels=labels)
                penalty = gradient_penalty(critic, real, fake, batch["mix"])
            # scaled up because it acts on every `penalty_every`-th step only
            loss = loss + self.params.penalty * self.params.penalty_every * penalty
        yield Update("discriminator", loss, logs)
        with frozen(self.discriminator):
            made = self.generator(batch["generator_noise"], labels)
            loss = of_generator(self.discriminator(made, labels))
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
            self.generator, self.params, self.vqvae, latents.mean, latents.basis, self.labels
        )

    def test(self) -> Scores:
        """Set distances of samples to test tracks, and whether they sound like their labels."""
        real, model = real_sets(self.features, self.vqvae, "test", self.seed), self.trained()
        scores = real.scores(model.sample(real.count, self.seed))
        if len(self.labels) > 1:
            share = -(-real.count // len(self.labels))
            clips = {label: model.sample(share, self.seed, label) for label in self.labels}
            scores["label_accuracy"] = label_scores(clips, self.features, self.vqvae, self.seed)
        return scores

    def claim(self, scores: Scores) -> Claim:
        """How much more like music in time the samples are than real sound without order."""
        return set_claim(scores)

    def besides(self, scores: Scores) -> tuple[Claim]:
        """That they are nearer to music than noise in timbre and level."""
        return (timbre_claim(scores),)
