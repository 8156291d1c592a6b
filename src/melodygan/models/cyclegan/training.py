"""Losses of the CycleGAN and its held-out scores: does style change, does content stay?"""

from collections.abc import Iterable, Iterator
from itertools import chain, permutations

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
from melodygan.dataset.vary import frames_needed, vary
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.content import chroma_loss, onset_loss
from melodygan.models.cyclegan.model import Direction, TrainedCycleGAN, make_generator
from melodygan.models.cyclegan.pool import ImagePool
from melodygan.pipeline.names import clean
from melodygan.scores.conversions import ConversionScores, Scores
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update, frozen
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

LEVEL_CLIPS = 48  # training clips per label that levels are measured on
LEVEL_FRAMES = 20_000  # training frames per label, about, whose levels are aimed at


class CycleGANTask(Task):
    """LSGAN + cycle, identity, chroma and onset losses, all labels at once, generators first.

    Each label has a generator, which turns any other label's sound into it, and a discriminator
    (docs/adr/0016). In a step each generator gets patches of one other label; which one changes
    from step to step.
    """

    params_type = CycleGANParams
    score = "shortfall_both"
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
        self.labels = choose_labels(params, data.features)
        if not self.labels:
            self.idle = "no two labels with tracks in every split, so nothing to convert between"
            self.networks, self.optimisers = {}, {}
            return
        longest = frames_needed(params.frames, params.stretch)
        self.patches = {
            name: Patches(data.features.tracks("train", name), longest) for name in self.labels
        }
        self.clips, self.frames = {}, {}
        for label in self.labels if params.calibrate else ():
            tracks = data.features.tracks("train", label)
            self.clips[label] = Patches(tracks, params.frames).regular(params.frames, LEVEL_CLIPS)
            step = -(-sum(len(track.mel) for track in tracks) // LEVEL_FRAMES)
            self.frames[label] = np.concatenate([track.mel[::step] for track in tracks])
        self.generators = {
            target: make_generator(params, self.audio.n_mels) for _, target in self._ring(1)
        }
        self.discriminators = {
            label: PatchGAN(params.width, spectral_norm=params.spectral_norm)
            for label in self.labels
        }
        self.networks, self.optimisers = {}, {}
        for kind, networks in (
            ("generator", self.generators),
            ("discriminator", self.discriminators),
        ):
            named = {f"{kind}{index}": network for index, network in enumerate(networks.values())}
            self.networks |= named
            self.optimisers[kind] = optimisers.Adam(
                chain.from_iterable(network.parameters() for network in named.values()),
                params.lr,
                betas=(0.5, 0.999),
                fused=True,
            )
        self.compiled = tuple(self.networks)
        self.used = tuple(name for name in self.networks if name.startswith("generator"))
        self.pools = {label: ImagePool(params.pool) for label in self.labels}
        self.judge = self._judge("validation")

    def _ring(self, away: int) -> list[Direction]:
        """From each label to the one so many places on, so that each is once source and target."""
        count = len(self.labels)
        return [
            (label, self.labels[(place + away) % count]) for place, label in enumerate(self.labels)
        ]

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random patches of each label, varied, scaled to [-1, 1]."""
        params = self.params
        cut = {name: of.random(params.batch_size, rng) for name, of in self.patches.items()}
        varied = {
            name: vary(clips, params.frames, params.transpose, params.stretch, params.mask, rng)
            for name, clips in cut.items()
        }
        return {name: self.scale.to_unit(to_network(of))[:, None] for name, of in varied.items()}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """All generators together, then all discriminators together."""
        directions = self._ring(1 + step % (len(self.labels) - 1))
        fakes = {
            (source, target): self.generators[target](batch[source])
            for source, target in directions
        }
        with frozen(*self.discriminators.values()):
            adversarial = sum_of(
                least_squares(self.discriminators[target](fake), 1.0)
                for (_, target), fake in fakes.items()
            )
        parts = self._parts(batch, fakes)
        loss = adversarial + sum(getattr(self.params, name) * part for name, part in parts.items())
        yield Update("generator", loss, {"adversarial": adversarial, **parts})
        by_target = {target: fake.detach() for (_, target), fake in fakes.items()}
        yield Update(
            "discriminator",
            sum_of(
                self._discriminate(of, batch[label], self.pools[label].query(by_target[label]))
                for label, of in self.discriminators.items()
            ),
        )

    def _parts(self, batch: Batch, fakes: dict[Direction, Tensor]) -> dict[str, Tensor]:
        """The losses beside the adversarial one that have a weight, by the parameter's name."""
        params, parts = self.params, {}
        if params.cycle > 0:
            parts["cycle"] = sum_of(
                functional.l1_loss(self.generators[source](fake), batch[source])
                for (source, _), fake in fakes.items()
            )
        if params.identity > 0:
            parts["identity"] = sum_of(
                functional.l1_loss(generator(batch[label]), batch[label])
                for label, generator in self.generators.items()
            )
        # their sums over bands and their quotients need full precision
        device = next(iter(batch.values())).device
        with torch.autocast(device.type, enabled=False):
            pairs = [
                [self.scale.to_log(unit[:, 0].float()) for unit in (batch[source], fake)]
                for (source, _), fake in fakes.items()
            ]
            if params.chroma > 0:
                parts["chroma"] = sum_of(chroma_loss(self.audio, *pair) for pair in pairs)
            if params.onset > 0:
                parts["onset"] = sum_of(onset_loss(*pair) for pair in pairs)
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
        """The first `count` validation tracks, None: all, of each label in the next one's style.

        Not in all others' styles: that would take the square of the labels.
        """
        model, tracks = self._model(self._ring(1)), self.judge.tracks
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
        device = next(self.networks["generator0"].parameters()).device
        for name, images in state.items():
            self.pools[name].images = list(images[self.processes.rank].to(device))

    def trained(self) -> TrainedCycleGAN:
        """The model in its present state; without directions where there was nothing to learn."""
        return self._model(list(permutations(self.labels, 2)))

    def _model(self, directions: list[Direction]) -> TrainedCycleGAN:
        generators = {(source, target): self.generators[target] for source, target in directions}
        model = TrainedCycleGAN(generators, self.params, self.audio, self.scale)
        if self.params.calibrate and directions:
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


def choose_labels(params: CycleGANParams, features: FeatureSet) -> tuple[str, ...]:
    """The labels to learn: those named in params, else all that have a track in every split.

    None if these are fewer than two. Raises UserError for a named label that lacks a split.
    """
    splits = ("train", "validation", "test")
    named = [clean(label) for label in params.labels]
    for label in named:
        for split in splits:
            features.tracks(split, label)
    found = named or [
        label for label in features.labels if all(features.has(split, label) for split in splits)
    ]
    return tuple(found) if len(found) > 1 else ()


def sum_of(losses: Iterable[Tensor]) -> Tensor:
    """Sum of scalars."""
    return torch.stack(list(losses)).sum()
