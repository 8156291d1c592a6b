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
from melodygan.models.cyclegan.content import chroma_loss, onset_loss
from melodygan.models.cyclegan.model import Direction, TrainedCycleGAN, make_generator
from melodygan.models.cyclegan.pool import ImagePool
from melodygan.scores.conversions import ConversionScores, Scores
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update, frozen
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

LEVEL_CLIPS = 48  # training clips per label that levels are measured on
LEVEL_FRAMES = 20_000  # training frames per label, at most, whose levels are aimed at


class CycleGANTask(Task):
    """LSGAN + cycle, identity, chroma and onset losses, both directions, generators first.

    Networks are named ab, ba (generators) and a, b (discriminators of each label).
    """

    params_type = CycleGANParams
    score = "shortfall_both"
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
        self.params, self.features = params, data.features
        self.audio, self.seed = data.audio, data.seed
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
        self.clips, self.frames = {}, {}
        for label in labels if params.calibrate else ():
            tracks = data.features.tracks("train", label)
            self.clips[label] = Patches(tracks, params.frames).regular(params.frames, LEVEL_CLIPS)
            self.frames[label] = np.concatenate([track.mel for track in tracks])
        self.ab, self.ba = (make_generator(params) for _ in range(2))
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
        self.judge = self._judge("validation")

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
        parts = self._parts(a, b, fake_a, fake_b)
        loss = adversarial + sum(getattr(self.params, name) * part for name, part in parts.items())
        yield Update("generator", loss, {"adversarial": adversarial, **parts})
        loss_a = self._discriminate(self.a, a, self.pools["a"].query(fake_a.detach()))
        loss_b = self._discriminate(self.b, b, self.pools["b"].query(fake_b.detach()))
        yield Update("discriminator", loss_a + loss_b)

    def _parts(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> dict[str, Tensor]:
        """The losses beside the adversarial one that have a weight, by the parameter's name."""
        params, parts = self.params, {}
        if params.cycle > 0:
            parts["cycle"] = functional.l1_loss(self.ba(fake_b), a) + functional.l1_loss(
                self.ab(fake_a), b
            )
        if params.identity > 0:
            parts["identity"] = functional.l1_loss(self.ba(a), a) + functional.l1_loss(
                self.ab(b), b
            )
        # their sums over bands and their quotients need full precision
        with torch.autocast(a.device.type, enabled=False):
            pairs = [
                [self.scale.to_log(unit[:, 0].float()) for unit in pair]
                for pair in ((a, fake_b), (b, fake_a))
            ]
            if params.chroma > 0:
                parts["chroma"] = torch.stack(
                    [chroma_loss(self.audio, *pair) for pair in pairs]
                ).sum()
            if params.onset > 0:
                parts["onset"] = torch.stack([onset_loss(*pair) for pair in pairs]).sum()
        return parts

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
        """Style and content of converted validation tracks; shortfalls are what both miss."""
        converted = self._converted()
        scores = self.judge.judge(converted)
        spreads = [
            made.std() / max(source.std(), 1e-6)
            for direction, mels in converted.items()
            for source, made in zip(self.judge.tracks[direction[0]], mels, strict=True)
        ]
        return {
            **{name: float(of["value"]) for name, of in scores["mean"].items()},
            "contrast": float(np.mean(spreads)),  # 0 is a flat answer
        }

    def _converted(self, count: int | None = None) -> dict[Direction, list[Float]]:
        """The first `count` validation tracks, None: all, of either label in the other's style."""
        model, tracks = self.trained(), self.judge.tracks
        return {
            direction: [model.convert(mel, *direction) for mel in tracks[direction[0]][:count]]
            for direction in model.directions
        }

    def samples(self) -> dict[str, Float]:
        """The first validation track of each label, and its conversion."""
        made = {direction[0]: mels[0] for direction, mels in self._converted(1).items()}
        sources = {label: mels[0] for label, mels in self.judge.tracks.items()}
        return {
            f"{label}-{kind}": of[label]
            for label in self.labels
            for kind, of in (("source", sources), ("converted", made))
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
        if self.idle:
            return TrainedCycleGAN({}, self.params, self.audio, self.scale)
        first, second = self.labels
        generators = {(first, second): self.ab, (second, first): self.ba}
        model = TrainedCycleGAN(generators, self.params, self.audio, self.scale)
        if self.params.calibrate:
            model.calibrate(self.clips, self.frames)
        return model

    def test(self) -> Scores:
        """Style and content of converted test tracks, by direction."""
        return {} if self.idle else self._judge("test").scores(self.trained().convert)

    def claim(self, scores: Scores) -> Claim:
        """What style and content miss by both classifiers, beside the best answer without training.

        By the one classifier alone an equaliser gets half of the way.
        """
        of = scores["mean"]["shortfall_both"]
        names = {
            "identity": "the source itself",
            "equaliser": "an equaliser",
            "transport": "optimal transport of frames",
        }
        best = min(names, key=lambda name: of[name])
        return Claim(
            "shortfall_both",
            of["value"],
            of[best],
            names[best],
            interval=of[f"beside_{best}"],
        )

    def _judge(self, split: str) -> ConversionScores:
        train, held_out = (
            {
                label: [track.mel for track in self.features.tracks(name, label)]
                for label in self.labels
            }
            for name in ("train", split)
        )
        return ConversionScores(train, held_out, self.audio, self.seed)


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
