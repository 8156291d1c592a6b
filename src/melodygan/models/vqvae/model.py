"""The trained VQ-VAE as other stages use it: log-mel in, codes out, and back."""

from dataclasses import asdict
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.network import VQVAE
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model


class TrainedVQVAE:
    """A VQ-VAE with the normalisation it was trained with, in eval mode.

    Log-mel here is in ln units, shape (batch, n_mels, frames), frames a multiple of the stride.
    """

    def __init__(
        self, network: VQVAE, params: VQVAEParams, audio: MelConfig, mean: float, std: float
    ) -> None:
        self.network, self.params, self.audio = network.eval(), params, audio
        self.mean, self.std = mean, std

    @property
    def device(self) -> torch.device:
        """Where the network is now."""
        return next(self.network.parameters()).device

    @classmethod
    def load(cls, folder: Path, audio: MelConfig) -> Self:
        """Read models/vqvae. Raises UserError on a mel mismatch or broken files."""
        weights, config = load_model(folder, audio)
        params = parse(VQVAEParams, config["params"], "params", str(folder / "config.json"))
        network = restore(lambda: VQVAE(params), weights, folder)
        return cls(network, params, audio, config.number("mean"), config.number("std"))

    def save(self, folder: Path) -> None:
        """Write models/vqvae."""
        config = {"params": asdict(self.params), "mean": self.mean, "std": self.std}
        save_model(folder, self.network.state_dict(), config, self.audio)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(code_dim, height, width) of one patch of `frames` frames."""
        stride = self.params.stride
        return self.params.code_dim, self.audio.n_mels // stride, self.params.frames // stride

    @torch.no_grad()
    def latents(self, log_mel: Tensor) -> Tensor:
        """Continuous latents before quantisation, (batch, code_dim, height, width)."""
        return self.network.encode((log_mel.to(self.device) - self.mean) / self.std)

    @torch.no_grad()
    def quantise(self, latents: Tensor) -> Tensor:
        """Snap continuous latents to code indices, (batch, height, width)."""
        return self.network.codebook(latents.to(self.device)).indices

    def encode(self, log_mel: Tensor) -> Tensor:
        """Code indices (batch, height, width)."""
        return self.quantise(self.latents(log_mel))

    @torch.no_grad()
    def decode(self, indices: Tensor) -> Tensor:
        """Log-mel of code indices, on the CPU, never below the floor of silence."""
        codes = self.network.codebook.lookup(indices.to(self.device))
        return (self.network.decode(codes) * self.std + self.mean).clamp_min(LOG_SILENCE).cpu()
