"""What the tasks of all kinds share: listening while they train, and scores at the end."""

import math
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.latent_prior.prior import TrainedPrior
from melodygan.models.vqvae.judged import label_scores, real_sets
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.scores.claims import set_claim, timbre_claim
from melodygan.training.data import Data
from melodygan.training.task import Limit, Task
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

WATCHED = ("kernel_distance", "time_distance")  # while training, beside memorisation
CLIPS = 32  # that are listened to at each validation
COPYING = 0.9  # memorisation below which training clips are being copied
WARM_UP = 0.05  # of the steps, in which the learning rate rises


class PriorTask(Task):
    """A prior in training. A kind's task adds network, optimiser, batches and updates."""

    score = "distance"

    def __init__(self, params: LatentPriorParams, data: Data) -> None:
        self.params: Any = getattr(params, params.kind)
        self.features, self.audio, self.seed = data.features, data.audio, data.seed
        self.vqvae = TrainedVQVAE.load(data.model("vqvae"), data.audio)
        self.helpers = (self.vqvae.network,)
        self.labels = self.features.labels
        sources = self.features, self.vqvae, "validation", self.seed, CLIPS
        self.real = data.once("real sets", lambda: real_sets(*sources))
        frames = self.vqvae.params.frames
        self.passage = min(self.params.columns // 2 * self.vqvae.params.stride, frames)
        self.passages = data.once(
            f"passages of {self.passage}",
            lambda: real_sets(*sources[:-1], CLIPS * self._passages, self.passage),
        )
        self.limits = (
            Limit(
                "validation",
                "memorisation",
                COPYING,
                1,
                "it has begun to copy training clips",
                f"more data, or a smaller latent_prior.{params.kind}.channels",
            ),
        )

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Up, then down to a twentieth along a cosine."""
        if progress < WARM_UP:
            return (progress + 1e-3) / WARM_UP
        return 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * progress))

    def listened(self) -> dict[str, float]:
        """How some samples sound beside validation tracks.

        distance, by which weights are chosen: the sum of the kernel distance, which is deaf to
        order in time, and the time distance, which hears little else; and where training clips
        are being copied, how much of that. Likelihood does not say it: on few tracks it is best
        long before the samples are.

        Memorisation is that of passages half as long as the prior hears: it copies what it has
        learnt by heart in pieces, one after the other from anywhere, so that whole clips of it
        are about as far from any training clip as new ones.
        """
        clips = np.concatenate(list(self.invent(self.real.count).values()))
        whole = clips[:, : self._passages * self.passage]
        cut = np.concatenate(np.split(whole, self._passages, axis=1))
        copied = self.passages.values(cut, ("memorisation",))
        heard = self.real.values(clips, WATCHED)
        distance = sum(heard.values()) + max(0.0, COPYING - copied["memorisation"])
        return {"distance": distance} | heard | copied

    def samples(self) -> dict[str, Float]:
        """One clip of each label, from the same seed each time."""
        return {label or "clip": clips[0] for label, clips in self.invent(1).items()}

    @abstractmethod
    def trained(self) -> TrainedPrior:
        """The model in its present state."""

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
