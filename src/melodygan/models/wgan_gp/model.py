"""The trained WGAN-GP as other stages use it: it invents clips of a label."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.histogram import QUANTILES, BandHistograms
from melodygan.audio.mel import MelConfig
from melodygan.models.vqvae.latents import take_statistics
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.wgan_gp.config import WGANGPParams
from melodygan.models.wgan_gp.levels import levelled, levels_between
from melodygan.models.wgan_gp.network import Generator, Shape
from melodygan.models.wgan_gp.spaces import Decoder, LatentDecoder, MelDecoder
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]

BATCH = 16  # clips that are made at once
LEVELS = ("levels_found", "levels_wanted")  # names of the labels' quantiles in a model folder
LEVEL_SEED = 1 << 32  # of the clips that levels are measured on; beyond those of other clips


class TrainedWGANGP:
    """A generator with the decoder of its space.

    labels: those that it can be asked for. levels: what corrects each one's, or none; see
    `calibrate`.
    """

    def __init__(
        self,
        generator: Generator,
        params: WGANGPParams,
        audio: MelConfig,
        labels: Sequence[str],
        decoder: Decoder,
        levels: Sequence[BandHistograms] = (),
    ) -> None:
        self.generator, self.params, self.audio = generator.eval(), params, audio
        self.labels, self.decoder, self.levels = tuple(labels), decoder, list(levels)

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/wgan_gp, and the VQ-VAE beside it where it works on its latents.

        Raises UserError on a mel mismatch or broken files.
        """
        weights, config = load_model(folder, audio)
        params = parse(WGANGPParams, config["params"], "params", str(folder / "config.json"))
        labels = config.names("labels")
        decoder: Decoder = MelDecoder()
        shape: Shape = (1, audio.n_mels, params.frames)
        if params.space == "latent":
            vqvae = TrainedVQVAE.load(folder.parent / "vqvae", audio, device)
            columns = params.frames // vqvae.params.stride
            shape = (params.components, vqvae.latent_shape[1], columns)
            statistics = take_statistics(weights, vqvae, params.components, folder)
            decoder = LatentDecoder(vqvae, *statistics)
        levels = _levels(weights, (len(labels), len(QUANTILES), audio.n_mels), folder)
        generator = restore(lambda: Generator(params, len(labels), shape), weights, folder)
        return cls(generator.to(device), params, audio, labels, decoder, levels)

    def save(self, folder: Path) -> None:
        """Write models/wgan_gp."""
        weights = self.generator.state_dict() | self.decoder.weights()
        if self.levels:
            pairs = zip(*((of.found, of.wanted) for of in self.levels), strict=True)
            weights |= {
                name: torch.from_numpy(np.stack(of)) for name, of in zip(LEVELS, pairs, strict=True)
            }
        config = {"params": asdict(self.params), "labels": list(self.labels)}
        save_model(folder, weights, config, self.audio)

    @torch.no_grad()
    def sample(
        self, count: int, seed: int, label: str | None = None, frames: int | None = None
    ) -> Float:
        """`count` invented clips of log-mel, (count, frames, n_mels).

        label: None stands for all, in turn. frames: at most those of a training example, which
        None stands for. Raises UserError for an unknown label, and for more frames than it makes.
        """
        longest = self.params.frames
        if label is not None and label not in self.labels:
            known = ", ".join(self.labels)
            raise UserError(f"wgan_gp knows no label {label} (known: {known})")
        if frames is not None and frames > longest:
            seconds = longest / self.audio.frame_rate
            raise UserError(f"wgan_gp makes clips of at most {seconds:.1f} s")
        device = next(self.generator.parameters()).device
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(count, self.params.noise_dim, generator=random)
        wanted = torch.arange(count) % len(self.labels)
        if label is not None:
            wanted[:] = self.labels.index(label)
        parts = zip(noise.split(BATCH), wanted.split(BATCH), strict=True)
        clips = np.concatenate(
            [
                self.decoder.decode(self.generator(some.to(device), of.to(device)).cpu())
                for some, of in parts
            ]
        )
        if self.levels:
            for index in np.unique(wanted):
                rows = wanted.numpy() == index
                clips[rows] = levelled(clips[rows], self.levels[index])
        return clips[:, :frames]

    def calibrate(self, real: Mapping[str, Float], count: int) -> None:
        """Correct the levels of all clips from now on.

        In each band the distribution of levels becomes that of training clips; the clips' order in
        time, and which of them is louder, stay. real: clips (clips, frames, n_mels) of each label.
        count: of the label's own clips that are made for it.
        """
        self.levels = []
        made = [self.sample(count, LEVEL_SEED + i, name) for i, name in enumerate(self.labels)]
        self.levels = [
            levels_between(clips, real[name]) for clips, name in zip(made, self.labels, strict=True)
        ]

    def decoded(self, log_mel: Float) -> Float:
        """What the decoder leaves of real clips (clips, frames, n_mels) of any length."""
        return self.decoder.decoded(log_mel)


def _levels(
    weights: dict[str, torch.Tensor], shape: tuple[int, int, int], folder: Path
) -> list[BandHistograms]:
    """Takes the calibration out of the weights of a model folder; empty where there is none."""
    found = [weights.pop(name) for name in LEVELS if name in weights]
    if found and [(of.shape, of.dtype) for of in found] != 2 * [(shape, torch.float32)]:
        raise UserError(f"{folder}: its levels are not those of its labels: run `dvc repro`")
    return [BandHistograms(*pair) for pair in zip(*(of.numpy() for of in found), strict=True)]


load = TrainedWGANGP.load
