"""The trained generator: it invents pooled vectors of a label."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.models.autoencoder.model import TrainedAutoencoder
from melodygan.models.feature_gan.config import FeatureGANParams
from melodygan.models.feature_gan.network import Generator
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]


class TrainedFeatureGAN:
    """A generator with the autoencoder whose latents it invents."""

    def __init__(
        self,
        generator: Generator,
        params: FeatureGANParams,
        autoencoder: TrainedAutoencoder,
        labels: Sequence[str],
    ) -> None:
        self.generator, self.params = generator.eval(), params
        self.autoencoder, self.labels = autoencoder, tuple(labels)

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/feature_gan, and the autoencoder beside it.

        Raises UserError on a mel mismatch or broken files.
        """
        autoencoder = TrainedAutoencoder.load(folder.parent / "autoencoder", audio, device)
        weights, config = load_model(folder, audio)
        params = parse(FeatureGANParams, config["params"], "params", str(folder / "config.json"))
        labels = config.names("labels")
        sizes = params.noise_dim, len(labels), autoencoder.params.latent, params.width
        generator = restore(lambda: Generator(*sizes), weights, folder)
        return cls(generator.to(device), params, autoencoder, labels)

    def save(self, folder: Path) -> None:
        """Write models/feature_gan."""
        config = {"params": asdict(self.params), "labels": list(self.labels)}
        save_model(folder, self.generator.state_dict(), config, self.autoencoder.audio)

    @torch.no_grad()
    def vectors(self, places: Sequence[int], seed: int) -> Float:
        """A pooled vector for each of some places in `labels`, (count, columns)."""
        device = self.generator.mean.device
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(len(places), self.params.noise_dim, generator=random)
        rows = torch.eye(len(self.labels))[torch.tensor(places)]
        latents = self.generator(noise.to(device), rows.to(device)).cpu().numpy()
        return self.autoencoder.decode(latents)
