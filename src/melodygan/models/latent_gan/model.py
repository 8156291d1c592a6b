"""The trained latent GAN as other stages use it: it invents clips of log-mel."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.audio.mel import MelConfig
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.network import Generator
from melodygan.models.vqvae.latents import latents_of, take_statistics
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]

BATCH = 16  # clips that are made at once


class TrainedLatentGAN:
    """A generator with its decoder and the latents' statistics.

    mean, basis: of `LatentCrops`. labels: those that it can be asked for; none where it knows no
    classes.
    """

    def __init__(
        self,
        generator: Generator,
        params: LatentGANParams,
        vqvae: TrainedVQVAE,
        mean: Tensor,
        basis: Tensor,
        labels: Sequence[str] = (),
    ) -> None:
        self.generator, self.params, self.vqvae = generator.eval(), params, vqvae
        self.mean, self.basis, self.labels = mean, basis, tuple(labels)

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/latent_gan, and the VQ-VAE beside it, whose decoder it needs.

        Raises UserError on a mel mismatch or broken files.
        """
        vqvae = TrainedVQVAE.load(folder.parent / "vqvae", audio, device)
        weights, config = load_model(folder, audio)
        params = parse(LatentGANParams, config["params"], "params", str(folder / "config.json"))
        mean, basis = take_statistics(weights, vqvae, params.components, folder)
        shape = (params.components, *vqvae.latent_shape[1:])
        labels = config.names("labels") if params.conditional else []
        make = lambda: Generator(params.noise_dim, params.channels, shape, len(labels))  # noqa: E731
        generator = restore(make, weights, folder)
        return cls(generator.to(device), params, vqvae, mean, basis, labels)

    def save(self, folder: Path) -> None:
        """Write models/latent_gan."""
        statistics = {"latent_mean": self.mean, "latent_basis": self.basis}
        weights = self.generator.state_dict() | statistics
        config = {"params": asdict(self.params), "labels": list(self.labels)}
        save_model(folder, weights, config, self.vqvae.audio)

    @torch.no_grad()
    def sample(
        self, count: int, seed: int, label: str | None = None, frames: int | None = None
    ) -> Float:
        """`count` invented clips of log-mel, (count, frames, n_mels).

        label: None stands for all in turn. frames: at most those of a training patch, which None
        stands for. Raises UserError for an unknown label, and for more frames than it can make.
        """
        longest = self.vqvae.params.frames
        if label is not None and label not in self.labels:
            known = f"labels: {', '.join(self.labels)}" if self.labels else "no labels"
            raise UserError(f"latent_gan knows {known}, so it cannot make {label}")
        if frames is not None and frames > longest:
            seconds = longest / self.vqvae.audio.frame_rate
            raise UserError(f"latent_gan makes clips of at most {seconds:.1f} s")
        device = next(self.generator.parameters()).device
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(count, self.params.noise_dim, generator=random).to(device)
        which = torch.arange(count, device=device) % max(1, len(self.labels))
        if label is not None:
            which = torch.full_like(which, self.labels.index(label))
        clips = []
        for part, of in zip(noise.split(BATCH), which.split(BATCH), strict=True):
            made = self.generator(part, of if self.labels else None)
            latents = latents_of(made.cpu(), self.mean, self.basis)
            clips.append(self.vqvae.decode(self.vqvae.quantise(latents)))
        return np.concatenate(clips)[:, :frames]

    def decoded(self, log_mel: Float) -> Float:
        """What the VQ-VAE leaves of real clips (clips, frames, n_mels) of any length."""
        return np.stack([self.vqvae.rebuild(clip) for clip in log_mel])


load = TrainedLatentGAN.load
