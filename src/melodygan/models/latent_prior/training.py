"""The loss of the prior, its validation by likelihood and by distance, and its test scores."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.latent_prior.crops import Crops
from melodygan.models.latent_prior.model import TrainedLatentPrior, grid_of
from melodygan.models.latent_prior.network import GridTransformer
from melodygan.models.vqvae.judged import label_scores, real_sets
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.scores.claims import set_claim, timbre_claim
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

WATCHED = ("kernel_distance", "time_distance")  # while training, beside memorisation
CLIPS = 32  # that are listened to at each validation
WARM_UP = 0.05  # of the steps, in which the learning rate rises


class LatentPriorTask(Task):
    """Maximises the likelihood of each code after those before it, with AdamW and cosine decay."""

    params_type = LatentPriorParams
    score = "nll"
    clip = 1.0
    limits = (
        Limit(
            "validation",
            "memorisation",
            0.9,
            1,
            "it has begun to copy training clips",
            "more data, or a smaller latent_prior.channels",
        ),
    )

    def __init__(self, params: LatentPriorParams, data: Data) -> None:
        self.params, self.features = params, data.features
        self.audio, self.seed = data.audio, data.seed
        self.vqvae = TrainedVQVAE.load(data.model("vqvae"), data.audio)
        self.helpers = (self.vqvae.network,)
        self.labels = self.features.labels
        self.crops = Crops(self.features.tracks("train"), self.labels, self.vqvae, params)
        held_out = self.features.tracks("validation")
        self.held_out = Crops(held_out, self.labels, self.vqvae, params).regular()
        self.network = GridTransformer(params, grid_of(self.vqvae), len(self.labels))
        self.networks = {"prior": self.network}
        adam = optimisers.AdamW(
            self.network.parameters(),
            params.lr,
            betas=(0.9, 0.95),
            weight_decay=params.weight_decay,
            fused=True,
        )
        self.optimisers = {"prior": adam}
        sources = self.features, self.vqvae, "validation", self.seed, CLIPS
        self.real = data.once("real sets", lambda: real_sets(*sources))
        self.passage = min(params.columns // 2 * self.vqvae.params.stride, self.vqvae.params.frames)
        self.passages = data.once(
            f"passages of {self.passage}",
            lambda: real_sets(*sources[:-1], CLIPS * self._passages, self.passage),
        )

    def batch(self, rng: np.random.Generator) -> Batch:
        """Codes of random pieces of training tracks, some of them without their label."""
        codes, labels = self.crops.random(self.params.batch_size, rng)
        without = torch.from_numpy(rng.random(len(labels)) < self.params.label_dropout)
        return {"codes": codes, "labels": labels.masked_fill(without, len(self.labels))}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update."""
        yield Update("prior", self._nll(batch["codes"], batch["labels"]))

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Up, then down to a twentieth along a cosine."""
        if progress < WARM_UP:
            return (progress + 1e-3) / WARM_UP
        return 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * progress))

    def validate(self) -> dict[str, float]:
        """Nats per position of held-out tracks, and how some samples sound.

        Memorisation is that of passages half as long as the prior hears: it copies what it has
        learnt by heart in pieces, one after the other from anywhere, so that whole clips of it
        are about as far from any training clip as new ones.
        """
        parts = zip(*(of.split(16) for of in self.held_out), strict=True)
        device = self.vqvae.device
        each = [len(c) * float(self._nll(c.to(device), n.to(device))) for c, n in parts]
        clips = np.concatenate(list(self.invent(self.real.count).values()))
        nll = sum(each) / len(self.held_out.labels)
        whole = clips[:, : self._passages * self.passage]
        cut = np.concatenate(np.split(whole, self._passages, axis=1))
        copied = self.passages.values(cut, ("memorisation",))
        return {"nll": nll} | self.real.values(clips, WATCHED) | copied

    def samples(self) -> dict[str, Float]:
        """One clip of each label, from the same seed each time."""
        return {label or "clip": clips[0] for label, clips in self.invent(1).items()}

    def trained(self) -> TrainedLatentPrior:
        """The model in its present state."""
        return TrainedLatentPrior(self.network, self.params, self.vqvae, self.labels)

    def test(self) -> dict[str, Any]:
        """Set distances of samples to test tracks, and whether they sound like their labels."""
        real = real_sets(self.features, self.vqvae, "test", self.seed)
        clips = self.invent(real.count)
        scores: dict[str, Any] = real.scores(np.concatenate(list(clips.values()))[: real.count])
        if len(self.labels) > 1:
            scores["label_accuracy"] = label_scores(clips, self.features, self.vqvae, self.seed)
        return scores

    def claim(self, scores: dict[str, Any]) -> Claim:
        """How much more like music in time the samples are than real sound without order."""
        return set_claim(scores)

    def besides(self, scores: dict[str, Any]) -> tuple[Claim]:
        """That they are nearer to music than noise in timbre and level."""
        return (timbre_claim(scores),)

    def invent(self, count: int) -> dict[str, Float]:
        """At least `count` clips, as many of each label as of the others."""
        share = -(-count // len(self.labels))
        model = self.trained()
        return {
            label: model.sample(share, self.seed + index, label)
            for index, label in enumerate(self.labels)
        }

    @property
    def _passages(self) -> int:
        """How many are cut from a clip."""
        return self.vqvae.params.frames // self.passage

    def _nll(self, codes: Tensor, labels: Tensor) -> Tensor:
        """Nats per position, of all its codes."""
        logits = self.network(codes, labels)
        each = functional.cross_entropy(logits.flatten(0, -2).float(), codes.flatten())
        return each * codes.shape[1]
