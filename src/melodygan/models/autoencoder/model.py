"""The trained autoencoder as other stages use it: pooled vectors in, latents out, and back."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.models.autoencoder.config import AutoencoderParams
from melodygan.models.autoencoder.network import Autoencoder
from melodygan.pipeline.params import parse
from melodygan.training.weights import StoredModel

Float = NDArray[np.float32]


class TrainedAutoencoder(StoredModel):
    """An autoencoder in eval mode.

    config: `params`, and `n_mfcc` of the vectors that it was trained with.
    """

    network: Autoencoder

    def __init__(self, config: dict[str, Any], audio: MelConfig) -> None:
        super().__init__(config, audio)
        self.params = parse(AutoencoderParams, config["params"], "params", "models/autoencoder")
        columns = 2 * (audio.n_mels + config["n_mfcc"])
        params = self.params
        self.network = Autoencoder(columns, params.widths, params.latent, params.dropout)

    @torch.no_grad()
    def encode(self, vectors: Float) -> Float:
        """Pooled vectors (rows, columns) -> latents (rows, latent)."""
        x = torch.from_numpy(vectors).to(self.network.mean.device)
        return self.network.encode(self.network.standardise(x)).cpu().numpy()

    @torch.no_grad()
    def decode(self, latents: Float) -> Float:
        """Latents (rows, latent) -> pooled vectors (rows, columns)."""
        x = torch.from_numpy(latents).to(self.network.mean.device)
        return (self.network.decode(x) * self.network.std + self.network.mean).cpu().numpy()


load = TrainedAutoencoder.load
