"""Losses of the CycleGAN and its held-out scores: does style change, does content stay?"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from melodygan.audio.layout import to_network
from melodygan.blocks.adversarial import least_squares
from melodygan.blocks.patchgan import PatchGAN
from melodygan.blocks.scale import Scale
from melodygan.dataset.feature_set import FeatureSet, Patches
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.models.cyclegan.network import Generator
from melodygan.models.cyclegan.pool import ImagePool
from melodygan.models.cyclegan.scores import ConversionScorer, Scores, shortfalls
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update, frozen
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]


class CycleGANTask(Task):
    """LSGAN + cycle L1 + identity L1, both directions, generators first.

    Networks are named ab, ba (generators) and a, b (discriminators of each label).
    """

    params_type = CycleGANParams
    score = "shortfall"
    used = ("ab", "ba")
    compiled = ("ab", "ba", "a", "b")
    limits = (
        Limit(
            "train",
            "discriminator_loss",
            0.01,
            5,
            "the discriminators have won",
            "lower cyclegan.lr, or use more or longer tracks",
        ),
        Limit(
            "validation",
            "contrast",
            0.2,
            2,
            "the conversions are almost flat",
            "lower cyclegan.lr, or raise cyclegan.cycle",
        ),
    )

    def __init__(self, params: CycleGANParams, data: Data) -> None:
        self.params, self.features, self.audio, self.seed = (
            params,
            data.features,
            data.audio,
            data.seed,
        )
        self.scale = Scale.of(*data.features.statistics())
        labels = choose_labels(params, data.features)
        if labels is None:
            self.idle = "no two labels with tracks in every split, so nothing to convert between"
            self.networks, self.optimisers = {}, {}
            return
        self.labels = labels
        self.patches = [
            Patches(data.features.tracks("train", name), params.frames) for name in labels
        ]
        self.ab, self.ba = (Generator(params.width, params.blocks) for _ in range(2))
        self.a, self.b = (PatchGAN(params.width) for _ in range(2))
        self.networks = {"ab": self.ab, "ba": self.ba, "a": self.a, "b": self.b}
        self.optimisers = {
            name: optimisers.Adam(
                chain(first.parameters(), second.parameters()),
                params.lr,
                betas=(0.5, 0.999),
                fused=True,
            )
            for name, first, second in [
                ("generator", self.ab, self.ba),
                ("discriminator", self.a, self.b),
            ]
        }
        self.pools = {name: ImagePool(params.pool) for name in ("a", "b")}
        self.scorer = ConversionScorer(data.features, labels, "validation", data.seed)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random patches of both labels, scaled to [-1, 1]."""
        return {
            name: self.scale.to_unit(to_network(patches.random(self.params.batch_size, rng)))[
                :, None
            ]
            for name, patches in zip("ab", self.patches, strict=True)
        }

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """Both generators together, then both discriminators together."""
        a, b = batch["a"], batch["b"]
        fake_b, fake_a = self.ab(a), self.ba(b)
        with frozen(self.a, self.b):
            adversarial = least_squares(self.b(fake_b), 1.0) + least_squares(self.a(fake_a), 1.0)
        cycle = functional.l1_loss(self.ba(fake_b), a) + functional.l1_loss(self.ab(fake_a), b)
        loss = adversarial + self.params.cycle * cycle
        logs = {"adversarial": adversarial, "cycle": cycle}
        if self.params.identity > 0:
            identity = functional.l1_loss(self.ba(a), a) + functional.l1_loss(self.ab(b), b)
            loss = loss + self.params.identity * identity
            logs["identity"] = identity
        yield Update("generator", loss, logs)
        loss_a = self._discriminate(self.a, a, self.pools["a"].query(fake_a.detach()))
        loss_b = self._discriminate(self.b, b, self.pools["b"].query(fake_b.detach()))
        yield Update("discriminator", loss_a + loss_b)

    @staticmethod
    def _discriminate(discriminator: PatchGAN, real: Tensor, fake: Tensor) -> Tensor:
        # half, which slows the discriminator against the generator (paper, appendix 7.1)
        return 0.5 * (
            least_squares(discriminator(real), 1.0) + least_squares(discriminator(fake), 0.0)
        )

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Constant for the first half, then linearly to zero."""
        return 1.0 if progress < 0.5 else 2.0 * (1.0 - progress)

    def validate(self) -> dict[str, float]:
        """Style and content of converted validation tracks; shortfall is what both miss of 1."""
        scores = self.scorer.scores(self.trained())
        style, chroma = (
            float(np.mean([direction[key]["value"] for direction in scores.values()]))
            for key in ("style_probability", "chroma_cosine")
        )
        return {
            "style_probability": style,
            "chroma_cosine": chroma,
            "shortfall": 2 - style - chroma,
            "contrast": self._contrast(),
        }

    def _contrast(self) -> float:
        """Standard deviation of converted log-mel over that of its source; 0 is a flat answer."""
        pairs = self._conversions()
        return float(np.mean([made.std() / max(source.std(), 1e-6) for source, made in pairs]))

    def _conversions(self) -> list[tuple[Float, Float]]:
        """The first validation track of each label, beside its conversion."""
        model, (first, second) = self.trained(), self.labels
        sources = [self.scorer.tracks[label][0] for label in self.labels]
        return [
            (sources[0], model.convert(sources[0], first, second)),
            (sources[1], model.convert(sources[1], second, first)),
        ]

    def samples(self) -> dict[str, Float]:
        """The first validation track of each label, and its conversion."""
        named = zip(self.labels, self._conversions(), strict=True)
        return {
            f"{label}-{kind}": mel
            for label, pair in named
            for kind, mel in zip(("source", "converted"), pair, strict=True)
        }

    def state(self) -> dict[str, Tensor]:
        """The image pools of all processes, each (processes, images, 1, height, width)."""
        return {
            name: self.processes.gather(torch.stack(pool.images)[None])
            for name, pool in self.pools.items()
            if pool.images
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Restore this process's image pools."""
        device = next(self.ab.parameters()).device
        for name, images in state.items():
            self.pools[name].images = list(images[self.processes.rank].to(device))

    def trained(self) -> TrainedCycleGAN:
        """The model in its present state; without directions where there was nothing to learn."""
        generators = {}
        if not self.idle:
            first, second = self.labels
            generators = {(first, second): self.ab, (second, first): self.ba}
        return TrainedCycleGAN(generators, self.params, self.audio, self.scale)

    def test(self) -> Scores:
        """Style and content of converted test tracks, by direction."""
        if self.idle:
            return {}
        return ConversionScorer(self.features, self.labels, "test", self.seed).scores(
            self.trained()
        )

    def claim(self, scores: Scores) -> Claim:
        """What style and content together miss, beside the better trivial answer."""
        value, baseline = shortfalls(scores)
        return Claim("shortfall", value, baseline, "the source or another target track")


def choose_labels(params: CycleGANParams, features: FeatureSet) -> tuple[str, str] | None:
    """The two labels to learn, or None when fewer than two have a track in every split.

    Without names in params, those with most training tracks, in alphabetical order.
    Raises UserError for a named label that lacks a split.
    """
    if params.labels:
        for label in params.labels:
            for split in ("train", "validation", "test"):
                features.tracks(split, label)
        first, second = params.labels
        return first, second
    counts = {
        label: sum(track.label == label for track in features.tracks("train"))
        for label in features.labels
        if all(features.has(split, label) for split in ("train", "validation", "test"))
    }
    if len(counts) < 2:
        return None
    first, second = sorted(sorted(counts, key=lambda label: (-counts[label], label))[:2])
    return first, second
