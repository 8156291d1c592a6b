"""The loss of the transformer, and its validation."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from melodygan.models.latent_prior.autoregressive.crops import Crops
from melodygan.models.latent_prior.autoregressive.model import TrainedAutoregressive, grid_of
from melodygan.models.latent_prior.autoregressive.network import GridTransformer
from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.latent_prior.task import PriorTask
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Update


class AutoregressiveTask(PriorTask):
    """Maximises the likelihood of each code after those before it, with AdamW and cosine decay."""

    clip = 1.0

    def __init__(self, params: LatentPriorParams, data: Data) -> None:
        super().__init__(params, data)
        own = params.autoregressive
        self.crops = Crops(self.features.tracks("train"), self.labels, self.vqvae, own)
        held_out = self.features.tracks("validation")
        self.held_out = Crops(held_out, self.labels, self.vqvae, own).regular()
        self.network = GridTransformer(own, grid_of(self.vqvae), len(self.labels))
        self.networks = {"prior": self.network}
        adam = optimisers.AdamW(
            self.network.parameters(),
            own.lr,
            betas=(0.9, 0.95),
            weight_decay=own.weight_decay,
            fused=True,
        )
        self.optimisers = {"prior": adam}

    def batch(self, rng: np.random.Generator) -> Batch:
        """Codes of random pieces of training tracks, some of them without their label."""
        codes, labels = self.crops.random(self.params.batch_size, rng)
        without = torch.from_numpy(rng.random(len(labels)) < self.params.label_dropout)
        return {"codes": codes, "labels": labels.masked_fill(without, len(self.labels))}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update."""
        yield Update("prior", self._nll(batch["codes"], batch["labels"]))

    def validate(self) -> dict[str, float]:
        """Nats per position of held-out tracks, and how some samples sound."""
        parts = zip(*(of.split(16) for of in self.held_out), strict=True)
        device = self.vqvae.device
        each = [len(c) * float(self._nll(c.to(device), n.to(device))) for c, n in parts]
        return {"nll": sum(each) / len(self.held_out.labels)} | self.listened()

    def trained(self) -> TrainedAutoregressive:
        """The model in its present state."""
        return TrainedAutoregressive(self.network, self.params, self.vqvae, self.labels)

    def _nll(self, codes: Tensor, labels: Tensor) -> Tensor:
        """Nats per position, of all its codes."""
        logits = self.network(codes, labels)
        each = functional.cross_entropy(logits.flatten(0, -2).float(), codes.flatten())
        return each * codes.shape[1]
