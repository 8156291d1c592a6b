"""Losses of the feature GAN, its validation by set distance, and its test scores."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from melodygan.blocks.adversarial import (
    vanilla_discriminator,
    vanilla_generator,
    zero_centred_penalty,
)
from melodygan.dataset.pooled import PooledVectors, pooled_vectors
from melodygan.models.autoencoder.judged import Reconstruction
from melodygan.models.autoencoder.model import TrainedAutoencoder
from melodygan.models.feature_gan.config import FeatureGANParams
from melodygan.models.feature_gan.network import Discriminator, Gaussians, Generator
from melodygan.models.feature_gan.scores import EXAMPLES, VectorScores, augmentation
from melodygan.models.feature_gan.vectors import TrainedFeatureGAN
from melodygan.scores.claims import timbre_claim
from melodygan.scores.directions import judgeable
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Task, Update, frozen
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]
Indices = NDArray[np.intp]


class FeatureGANTask(Task):
    """Non-saturating GAN with gradient penalties on real and generated latents (R1, R2)."""

    params_type = FeatureGANParams
    used = ("generator",)
    averaged = ("generator",)
    score = "kernel_distance"

    def __init__(self, params: FeatureGANParams, data: Data) -> None:
        self.params, self.features = params, data.features
        self.audio, self.seed = data.audio, data.seed
        self.average_decay = params.average_decay
        self.autoencoder = TrainedAutoencoder.load(data.model("autoencoder"), data.audio)
        self.train = pooled_vectors(data.features, "train", params.hop)
        self.latents = self.autoencoder.encode(self.train.values)
        labels = range(len(data.features.labels))
        self.rows = [np.flatnonzero(self.train.label == place) for place in labels]
        self.gaussians = Gaussians(self.latents.astype(float), self.train.label, len(self.rows))
        sizes = len(self.rows), self.latents.shape[1], params.width
        self.generator = Generator(params.noise_dim, *sizes)
        self.generator.fit(self.gaussians)
        self.discriminator = Discriminator(*sizes)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimisers = {
            name: optimisers.Adam(network.parameters(), params.lr, betas=(0.0, 0.99), fused=True)
            for name, network in self.networks.items()
        }
        self.judge = self._judge("validation")

    def batch(self, rng: np.random.Generator) -> Batch:
        """Training latents, as many of each label as of the others, and noise for both."""
        count = self.params.batch_size
        labels = (np.arange(count) + rng.integers(len(self.rows))) % len(self.rows)
        chosen = [self.rows[label][rng.integers(len(self.rows[label]))] for label in labels]
        noise = rng.standard_normal((2, count, self.params.noise_dim), np.float32)
        return {
            "latents": torch.from_numpy(self.latents[chosen]),
            "labels": functional.one_hot(torch.from_numpy(labels), len(self.rows)).float(),
            "discriminator_noise": torch.from_numpy(noise[0]),
            "generator_noise": torch.from_numpy(noise[1]),
        }

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """Discriminator, then generator."""
        real, labels = batch["latents"], batch["labels"]
        with torch.no_grad():
            fake = self.generator(batch["discriminator_noise"], labels)
        real, fake = real.requires_grad_(), fake.requires_grad_()
        on_real, on_fake = self.discriminator(real, labels), self.discriminator(fake, labels)
        penalty = zero_centred_penalty(on_real, real) + zero_centred_penalty(on_fake, fake)
        loss = vanilla_discriminator(on_real, on_fake) + 0.5 * self.params.penalty * penalty
        yield Update("discriminator", loss, {"penalty": penalty})
        with frozen(self.discriminator):
            made = self.generator(batch["generator_noise"], labels)
            loss = vanilla_generator(self.discriminator(made, labels))
        yield Update("generator", loss)

    def validate(self) -> dict[str, float]:
        """Distance of invented vectors to validation tracks', and that of Gaussians."""
        judge = self.judge
        return {
            "kernel_distance": judge.distance(self._invent(judge.places)),
            "baseline_kernel_distance": judge.distance(judge.anchors["gaussian"]),
        }

    def trained(self) -> TrainedFeatureGAN:
        """The model in its present state."""
        labels = self.features.labels
        return TrainedFeatureGAN(self.generator, self.params, self.autoencoder, labels)

    def test(self) -> dict[str, Any]:
        """Scores of invented vectors on test tracks, and what they are good for.

        Those of `VectorScores.scores` and, where there are labels, of `augmentation`.
        reconstruction: what the autoencoder loses, which no latent brings back.
        """
        judge, held_out = self._judge("test"), pooled_vectors(self.features, "test")
        scores: dict[str, Any] = dict(judge.scores(self._invent(judge.places)))
        if len(self.rows) > 1:
            places = np.repeat(np.arange(len(self.rows)), EXAMPLES)
            invented = {
                "value": self._invent(places),
                "gaussian": self._gaussian(places, self.seed),
            }
            made = {
                name: PooledVectors(of, np.arange(len(of)), places, self.train.labels)
                for name, of in invented.items()
            }
            scores |= augmentation(self.train, held_out, made, self.seed)
        known = Reconstruction(self.autoencoder, self.train)
        return scores | {"reconstruction": known.score(held_out, self.seed)}

    def claim(self, scores: dict[str, Any]) -> Claim:
        """How much nearer to test tracks than Gaussians, on the way to real training vectors."""
        of = scores["kernel_distance"]
        return Claim(
            "kernel_distance",
            of["value"],
            of["gaussian"],
            "a Gaussian per label",
            of["floor"],
            interval=of["paired"],
            judgeable=judgeable("kernel_distance", of),
        )

    def besides(self, scores: dict[str, Any]) -> tuple[Claim]:
        """That they are nearer to music than noise."""
        return (timbre_claim(scores),)

    def _judge(self, split: str) -> VectorScores:
        held_out = pooled_vectors(self.features, split)
        latent = self.latents.shape[1]
        return VectorScores(self.train, held_out, self._through, self._gaussian, latent, self.seed)

    def _invent(self, places: Indices) -> Float:
        return self.trained().vectors(places.tolist(), self.seed)

    def _through(self, vectors: Float) -> Float:
        return self.autoencoder.decode(self.autoencoder.encode(vectors))

    def _gaussian(self, places: Indices, seed: int) -> Float:
        latents = self.gaussians.draw(places, np.random.default_rng(seed))
        return self.autoencoder.decode(latents.astype(np.float32))
