"""The trained latent GAN as other stages use it."""

from dataclasses import asdict
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from melodygan.audio.mel import MelConfig
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.network import Generator
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model


class TrainedLatentGAN:
    """A generator with the latents' statistics. mean, std: (dim, 1, 1), of training latents."""

    def __init__(
        self, generator: Generator, params: LatentGANParams, mean: Tensor, std: Tensor
    ) -> None:
        self.generator, self.params, self.mean, self.std = generator.eval(), params, mean, std

    @classmethod
    def load(cls, folder: Path, vqvae: TrainedVQVAE) -> Self:
        """Read models/latent_gan, made for `vqvae`. Raises UserError on broken files."""
        weights, config = load_model(folder, vqvae.audio)
        params = parse(LatentGANParams, config["params"], "params", str(folder / "config.json"))
        missing = torch.empty(0)
        mean, std = (weights.pop(f"latent_{name}", missing) for name in ("mean", "std"))
        shape = vqvae.latent_shape
        if not mean.shape == std.shape == (shape[0], 1, 1):
            raise UserError(f"{folder} does not fit models/vqvae: run `dvc repro`")
        make = lambda: Generator(params.noise_dim, params.channels, shape)  # noqa: E731
        generator = restore(make, weights, folder)
        return cls(generator, params, mean, std)

    def save(self, folder: Path, audio: MelConfig) -> None:
        """Write models/latent_gan."""
        weights = self.generator.state_dict() | {"latent_mean": self.mean, "latent_std": self.std}
        save_model(folder, weights, {"params": asdict(self.params)}, audio)

    @torch.no_grad()
    def sample(self, vqvae: TrainedVQVAE, count: int, seed: int, parts: int = 16) -> Tensor:
        """`count` invented patches of log-mel, (count, n_mels, frames) on the CPU."""
        device = next(self.generator.parameters()).device
        noise = torch.randn(
            count, self.params.noise_dim, generator=torch.Generator().manual_seed(seed)
        )
        mels = []
        for part in noise.split(parts):
            latents = self.generator(part.to(device)).cpu() * self.std + self.mean
            mels.append(vqvae.decode(vqvae.quantise(latents)))
        return torch.cat(mels)
