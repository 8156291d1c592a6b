"""The loss of the flow, and its validation by set distance."""

from collections.abc import Iterator

import numpy as np
import torch

from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.latent_prior.flow.model import TrainedFlow, overlap_of, velocity_net
from melodygan.models.latent_prior.task import PriorTask
from melodygan.models.vqvae.latents import LatentCrops, track_latents
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Update

GOES_ON = 0.5  # of the examples, in which the first columns are known


class FlowTask(PriorTask):
    """Rectified flow on whitened latents: learns the velocity of straight lines out of noise."""

    clip = 1.0
    averaged = ("prior",)
    channels_last = True

    def __init__(self, params: LatentPriorParams, data: Data) -> None:
        super().__init__(params, data)
        own, train = params.flow, self.features.tracks("train")
        frames = own.columns * self.vqvae.params.stride
        latents = data.once(
            f"latents of {frames}", lambda: track_latents(train, self.vqvae, frames)
        )
        self.latents = LatentCrops(train, self.vqvae, own.components, frames, latents)
        self.labels = sorted(set(self.latents.labels))
        self.average_decay = own.average_decay
        self.network = velocity_net(own, self.vqvae, len(self.labels))
        self.networks = {"prior": self.network}
        adam = optimisers.Adam(self.network.parameters(), own.lr, betas=(0.9, 0.99), fused=True)
        self.optimisers = {"prior": adam}

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of the training tracks' whitened latents, noise, and times between.

        As many of each label as of the others, some without their label, and some with the overlap
        with a window before known. Times are a normal number's logistic function: the middle of the
        way is the hardest.
        """
        size = self.params.batch_size
        latents, which = self.latents.balanced(size, rng, self.labels)
        noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32))
        times = torch.from_numpy(rng.standard_normal(size, np.float32)).sigmoid()
        without = torch.from_numpy(rng.random(size) < self.params.label_dropout)
        told = which.masked_fill(without, len(self.labels))
        known = torch.zeros(size, latents.shape[-1])
        known[torch.from_numpy(rng.random(size) < GOES_ON), : overlap_of(self.params)] = 1
        examples = {"latents": latents, "noise": noise, "times": times}
        return examples | {"labels": told, "known": known}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update."""
        latents, times, known = batch["latents"], batch["times"], batch["known"]
        way = latents - batch["noise"]
        mixed = batch["noise"] + times[:, None, None, None] * way
        x = torch.where(known[:, None, None] > 0, latents, mixed)
        velocity = self.network(x, known, times, batch["labels"])
        errors = (velocity.float() - way).square().mean((1, 2)) * (1 - known)
        yield Update("prior", (errors.sum(1) / (1 - known).sum(1)).mean())

    def validate(self) -> dict[str, float]:
        """How some samples sound."""
        return self.listened()

    def trained(self) -> TrainedFlow:
        """The model in its present state."""
        mean, basis = self.latents.mean, self.latents.basis
        return TrainedFlow(self.network, self.params, self.vqvae, mean, basis, self.labels)
