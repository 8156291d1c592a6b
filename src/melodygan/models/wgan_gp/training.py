"""Losses of the WGAN-GP, its validation by set distance, and its test scores."""

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE
from melodygan.blocks.wasserstein import gradient_penalty, wasserstein_estimate
from melodygan.dataset.feature_set import Track
from melodygan.models.vqvae.latents import LatentCrops, track_latents
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.wgan_gp.config import WGANGPParams
from melodygan.models.wgan_gp.gaussian import principal_axes
from melodygan.models.wgan_gp.model import TrainedWGANGP
from melodygan.models.wgan_gp.network import Critic, Generator
from melodygan.models.wgan_gp.scores import BASELINES, LabelScores, Scores
from melodygan.models.wgan_gp.spaces import (
    Decoder,
    Examples,
    LatentDecoder,
    MelDecoder,
    MelExamples,
    looped,
)
from melodygan.pipeline.errors import UserError
from melodygan.scores.rows import regular
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update, frozen
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

FITTED = 512  # training examples of a label that its Gaussian and its levels know, at most
LEVEL_CLIPS = 32  # of each label that its levels are measured on
SHOWN = 8  # labels of which there are samples while training
GAP = 8  # silent frames between a real clip and a generated one in a picture


class WGANGPTask(Task):
    """Critic steps with gradient penalty, and a generator step after every so many of them."""

    params_type = WGANGPParams
    used = ("generator",)
    averaged = ("generator",)
    score = "label_distance"
    channels_last = True
    limits = (
        Limit(
            "validation",
            "diversity",
            0.3,
            2,
            "the clips of a label are all alike",
            "lower wgan_gp.lr, or raise wgan_gp.critic_steps",
        ),
    )

    def __init__(self, params: WGANGPParams, data: Data) -> None:
        self.params, self.features = params, data.features
        self.audio, self.seed = data.audio, data.seed
        self.average_decay = params.average_decay
        tracks = looped(self.features.tracks("train"), params.frames)
        self.labels = sorted({track.label for track in tracks})
        self.examples, self.decoder = self._space(tracks, data)
        shape = self.examples.shape
        self.generator = Generator(params, len(self.labels), shape)
        self.critic = Critic(params.channels, len(self.labels), shape)
        if params.space == "latent":
            self._start_at_gaussians()
        self.networks = {"generator": self.generator, "critic": self.critic}
        self.optimisers = {
            name: optimisers.Adam(network.parameters(), params.lr, betas=(0.5, 0.999), fused=True)
            for name, network in self.networks.items()
        }
        self.judge = self._judge("validation")

    def _space(self, tracks: list[Track], data: Data) -> tuple[Examples, Decoder]:
        """What is learnt, and the way back from it to log-mel.

        Raises UserError for a length that the VQ-VAE's codes do not fill.
        """
        params = self.params
        if params.space == "mel":
            return MelExamples(tracks, params.frames), MelDecoder()
        vqvae = TrainedVQVAE.load(data.model("vqvae"), data.audio)
        if params.frames % vqvae.params.stride:
            raise UserError(
                f"wgan_gp.frames must be a multiple of vqvae.stride, {vqvae.params.stride}: "
                "change it in params.yaml"
            )
        self.helpers = (vqvae.network,)
        frames = params.frames
        latents = data.once(f"latents {frames}", lambda: track_latents(tracks, vqvae, frames))
        crops = LatentCrops(tracks, vqvae, params.components, frames, latents)
        return crops, LatentDecoder(vqvae, crops.mean, crops.basis)

    def _start_at_gaussians(self) -> None:
        rng = np.random.default_rng(self.seed)
        for index, label in enumerate(self.labels):
            examples = self.examples.random(FITTED, rng, label)
            mean, axes = principal_axes(examples, self.params.noise_dim)
            self.generator.mean[index], self.generator.axes[index] = mean, axes

    def batch(self, rng: np.random.Generator) -> Batch:
        """As many random pieces of each label as of the others, and noise for both networks."""
        size, noise_dim = self.params.batch_size, self.params.noise_dim
        labels = (np.arange(size) + rng.integers(len(self.labels))) % len(self.labels)
        real = torch.empty(size, *self.examples.shape)
        for index in np.unique(labels):
            rows = torch.from_numpy(np.flatnonzero(labels == index))
            real[rows] = self.examples.random(len(rows), rng, self.labels[index])
        noise = rng.standard_normal((2, size, noise_dim), np.float32)
        return {
            "real": real,
            "labels": torch.from_numpy(labels),
            "critic_noise": torch.from_numpy(noise[0]),
            "generator_noise": torch.from_numpy(noise[1]),
            "mix": torch.from_numpy(rng.random(size, np.float32)),
        }

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """The critic; after every `critic_steps` of its steps the generator."""
        real, labels = batch["real"], batch["labels"]
        with torch.no_grad():
            fake = self.generator(batch["critic_noise"], labels)
        on_real, on_fake = self.critic(torch.cat([real, fake]), labels.repeat(2)).chunk(2)
        estimate = wasserstein_estimate(on_real, on_fake)
        penalty = gradient_penalty(lambda x: self.critic(x, labels), real, fake, batch["mix"])
        logs = {"wasserstein": estimate, "gradient_penalty": penalty}
        yield Update("critic", self.params.penalty * penalty - estimate, logs)
        if (step + 1) % self.params.critic_steps == 0:
            with frozen(self.critic):
                fake = self.generator(batch["generator_noise"], labels)
                loss = -self.critic(fake, labels).float().mean()
            yield Update("generator", loss)

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Down to a tenth along a cosine."""
        return 0.1 + 0.9 * (0.5 + 0.5 * math.cos(math.pi * progress))

    def validate(self) -> dict[str, float]:
        """Distances of a label's samples to its validation tracks, and their diversity."""
        return self.judge.values(self.invent(self.judge.count))

    def samples(self) -> dict[str, Float]:
        """Of each label a clip, from the same seed each time, and the same after a real one."""
        shown = {}
        for label, clips in islice(self.invent(1).items(), SHOWN):
            real = np.array(self.judge.train[label][0][: self.params.frames])
            gap = np.full((GAP, self.audio.n_mels), LOG_SILENCE, np.float32)
            shown[label] = clips[0]
            shown[f"{label}-real-then-generated"] = np.concatenate([real, gap, clips[0]])
        return shown

    def trained(self) -> TrainedWGANGP:
        """The model in its present state."""
        model = TrainedWGANGP(self.generator, self.params, self.audio, self.labels, self.decoder)
        if self.params.calibrate:
            real = {
                label: regular(mels, self.params.frames, self.params.frames, FITTED).log_mel
                for label, mels in self.judge.train.items()
            }
            model.calibrate(real, LEVEL_CLIPS)
        return model

    def test(self) -> Scores:
        """Scores of clips by label on test tracks."""
        judge = self._judge("test")
        return judge.scores(self.invent(judge.count))

    def claim(self, scores: Scores) -> Claim:
        """How much nearer to real clips of its label the samples are than Gaussian ones.

        Those sound like their label without training, and have no order in time.
        """
        of = scores["label_distance"]
        best = min(BASELINES, key=lambda name: of[name])
        return Claim(
            "label_distance",
            of["value"],
            of[best],
            BASELINES[best],
            of["floor"],
            interval=of["interval"],
            baseline_interval=of[f"{best}_interval"],
            judgeable=of["floor"] < min(of["shuffled"], of["noise"]),
        )

    def invent(self, count: int) -> dict[str, Float]:
        """`count` clips of each label."""
        model = self.trained()
        return {
            label: model.sample(count, self.seed + index, label)
            for index, label in enumerate(self.labels)
        }

    def _judge(self, split: str) -> LabelScores:
        """Of all labels the training tracks, and those of `split` of the labels that have any."""
        params = self.params
        train, held_out = (
            {
                label: [track.mel for track in tracks if track.label == label]
                for label in self.labels
            }
            for tracks in (
                looped(self.features.tracks(name), params.frames) for name in ("train", split)
            )
        )
        return LabelScores(
            train, held_out, params.frames, params.noise_dim, self.seed, self.decoder.round_trip
        )
