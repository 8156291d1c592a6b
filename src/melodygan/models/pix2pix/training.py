"""Losses of Pix2Pix and its held-out scores: how near does it come to the true stem?"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from melodygan.audio.layout import to_network
from melodygan.blocks.adversarial import vanilla_discriminator, vanilla_generator
from melodygan.blocks.patchgan import PatchGAN
from melodygan.blocks.scale import Scale
from melodygan.dataset.feature_set import FeatureSet, patches_of_stems
from melodygan.models.pix2pix.config import Pix2PixParams
from melodygan.models.pix2pix.model import SOURCE, TrainedPix2Pix, make_generator
from melodygan.models.pix2pix.scores import Scores, StemScores, pairs
from melodygan.pipeline.errors import UserError
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update, frozen
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

VALIDATION_FRAMES = 1024  # of each validation track, from its start


class Pix2PixTask(Task):
    """The conditional GAN's loss + `l1` x L1; the generator first, then the discriminator."""

    params_type = Pix2PixParams
    score = "log_mel_l1"
    used = ("generator",)
    compiled = ("generator", "discriminator")
    limits = (
        Limit(
            "train",
            "discriminator_loss",
            0.01,
            5,
            "the discriminator has won",
            "lower pix2pix.lr, or raise pix2pix.l1",
        ),
    )

    def __init__(self, params: Pix2PixParams, data: Data) -> None:
        self.params, self.data, self.features = params, data, data.features
        self.audio = data.audio
        if reason := no_pairs(params, data.features):
            self.idle, self.scale = reason, Scale.of(*data.features.statistics())
            self.loudness = 0.0
            self.networks, self.optimisers = {}, {}
            return
        self.scale = Scale.of(*data.features.statistics(SOURCE))
        self.loudness = data.clean("train", SOURCE).loudness()
        self.mixes, self.stems = patches_of_stems(
            data.features, "train", (SOURCE, params.task), params.frames
        )
        self.generator = make_generator(params, data.audio, self.scale)
        self.discriminator = PatchGAN(params.width, channels=2)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimisers = {
            name: optimisers.Adam(network.parameters(), params.lr, betas=(0.5, 0.999), fused=True)
            for name, network in self.networks.items()
        }
        self.held_out = list(pairs(data.features, "validation", params.task, VALIDATION_FRAMES))

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random patches of mixes and the stem's at the same places, scaled to [-1, 1]."""
        places = self.mixes.places(self.params.batch_size, rng)
        return {
            name: self.scale.to_unit(to_network(patches.at(places)))[:, None]
            for name, patches in (("mix", self.mixes), ("stem", self.stems))
        }

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update of either network."""
        mix, stem = batch["mix"], batch["stem"]
        made = self.generator(mix)
        with frozen(self.discriminator):
            adversarial = vanilla_generator(self._judged(mix, made))
        error = functional.l1_loss(made.float(), stem)
        yield Update(
            "generator",
            adversarial + self.params.l1 * error,
            {"adversarial": adversarial, "l1": error},
        )
        on_real, on_made = self._judged(mix, stem), self._judged(mix, made.detach())
        # half, which slows the discriminator against the generator (paper, section 3.3)
        yield Update("discriminator", 0.5 * vanilla_discriminator(on_real, on_made))

    def _judged(self, mix: Tensor, stem: Tensor) -> Tensor:
        """What the discriminator says of a stem beside its mix."""
        judged: Tensor = self.discriminator(torch.cat([mix, stem], 1)).float()
        return judged

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Constant for the first half, then linearly to zero."""
        return 1.0 if progress < 0.5 else 2.0 * (1.0 - progress)

    def validate(self) -> dict[str, float]:
        """Log-mel L1 to the separated stem on validation tracks, beside that of the mix."""
        model, rows = self.trained(), []
        for mix, stem in self.held_out:
            made = model.convert(mix, *model.directions[0])
            rows.append((np.abs(made - stem).mean(), np.abs(mix - stem).mean()))
        value, identity = np.mean(rows, axis=0)
        return {"log_mel_l1": float(value), "baseline_log_mel_l1": float(identity)}

    def samples(self) -> dict[str, Float]:
        """The beginning of a validation track: its mix, its stem, and what is made of the mix."""
        model = self.trained()
        mix, stem = self.held_out[0]
        return {"mix": mix, "stem": stem, "made": model.convert(mix, *model.directions[0])}

    def trained(self) -> TrainedPix2Pix:
        """The model in its present state; without a direction where there are no pairs."""
        generator = None if self.idle else self.generator
        return TrainedPix2Pix(generator, self.params, self.audio, self.scale, self.loudness)

    def test(self) -> Scores:
        """Scores of test tracks, see `StemScores`."""
        return {} if self.idle else StemScores(self.data, self.params.task).of(self.trained())

    def claim(self, scores: Scores) -> Claim:
        """Log-mel L1 between the better of the answers without a model, and the separator's."""
        of = scores["log_mel_l1"]
        names = {"identity": "the mix itself", "average_mask": "one mask for all music"}
        best = min(names, key=lambda name: of[name])
        return Claim(
            "log_mel_l1",
            of["value"],
            of[best],
            names[best],
            of["separator"],
            interval=of[f"beside_{best}"],
        )


def no_pairs(params: Pix2PixParams, features: FeatureSet) -> str:
    """Why there is nothing to learn from, or "".

    Raises UserError for vocals, which nobody gets without asking, where there are none.
    """
    lacking = [stem for stem in (SOURCE, params.task) if stem not in features.stems]
    wanted = ", ".join([*features.stems, *lacking])
    remedy = f"separate.enabled: true and preprocess.stems: [{wanted}] make them"
    if lacking and params.task == "vocals":
        raise UserError(
            f"params.yaml: pix2pix.task is vocals, but preprocess.stems lacks "
            f"{', '.join(lacking)}: {remedy}"
        )
    if lacking:
        return f"{features.folder} has no {', '.join(lacking)}, so there are no pairs: {remedy}"
    return ""
