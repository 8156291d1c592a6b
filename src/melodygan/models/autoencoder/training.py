"""The autoencoder's loss, its examples, and its scores beside principal components."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.features import mfcc
from melodygan.dataset.pooled import pooled_vectors
from melodygan.models.autoencoder.config import AutoencoderParams
from melodygan.models.autoencoder.judged import Reconstruction
from melodygan.models.autoencoder.model import TrainedAutoencoder
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Task, Update
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

CURVES = 9  # cosines over the mel bands that a random equaliser is the sum of
LINEAR = 0.1  # learning rate of the linear path, as a share of the layers'
WARM_UP = 0.02  # of the steps, in which the learning rate rises


class AutoencoderTask(Task):
    """Minimises the squared error of standardised vectors with AdamW and cosine decay."""

    params_type = AutoencoderParams
    score = "reconstruction"

    def __init__(self, params: AutoencoderParams, data: Data) -> None:
        self.params, self.features, self.audio = params, data.features, data.audio
        self.seed = data.seed
        features = data.features
        self.train = pooled_vectors(features, "train", params.hop)
        config = {"params": asdict(params), "n_mfcc": features.n_mfcc}
        self.model = TrainedAutoencoder(config, data.audio)
        network = self.model.network
        network.fit(self.train.values.astype(np.float64))
        self.judge = Reconstruction(self.model, self.train)
        self.equalisers = Equalisers(self.audio.n_mels, features.n_mfcc, params.equaliser)
        self.networks = {"autoencoder": network}
        groups = [
            {"params": network.layers(), "weight_decay": params.weight_decay},
            {"params": network.linear(), "lr": LINEAR * params.lr, "weight_decay": 0.0},
        ]
        self.optimisers = {"autoencoder": optimisers.AdamW(groups, params.lr, fused=True)}
        self.held_out = pooled_vectors(features, "validation")

    def batch(self, rng: np.random.Generator) -> Batch:
        """Mixtures of two training vectors each, through random equalisers."""
        count, values = self.params.batch_size, self.train.values
        one, other = values[rng.integers(0, len(values), (2, count))]
        share = self.params.mixup * rng.random((count, 1), np.float32)
        vectors = one + share * (other - one) + self.equalisers.random(count, rng)
        return {"vectors": torch.from_numpy(vectors)}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update."""
        network = self.model.network
        vectors = network.standardise(batch["vectors"])
        yield Update("autoencoder", (network(vectors).float() - vectors).square().mean())

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Up, then down to nothing along a cosine."""
        return min(1.0, progress / WARM_UP + 1e-3) * (0.5 + 0.5 * math.cos(math.pi * progress))

    def validate(self) -> dict[str, float]:
        """Mean squared error on validation tracks, and that of principal components."""
        errors = self.judge.errors(self.held_out)
        return {
            "reconstruction": float(np.mean(errors["value"])),
            "baseline_reconstruction": float(np.mean(errors["pca"])),
        }

    def trained(self) -> TrainedAutoencoder:
        """The model in its present state."""
        return self.model

    def test(self) -> dict[str, Any]:
        """Mean squared error of standardised vectors of test tracks (`Reconstruction.score`)."""
        return {
            "reconstruction": self.judge.score(pooled_vectors(self.features, "test"), self.seed)
        }

    def claim(self, scores: dict[str, Any]) -> Claim:
        """Reconstruction beside principal components."""
        of = scores["reconstruction"]
        against = f"{self.params.latent} principal components"
        return Claim("reconstruction", of["value"], of["pca"], against, interval=of["interval"])


class Equalisers:
    """Random smooth gains over the mel bands, as what they add to pooled vectors.

    A gain moves the mean log-mel of its band and nothing else; MFCC are linear in log-mel, so
    their means move by the gains' own. size: ln units, the spread of the slowest cosine.
    """

    def __init__(self, n_mels: int, n_mfcc: int, size: float) -> None:
        order = np.arange(CURVES)[:, None]
        bands = (np.arange(n_mels) + 0.5)[None, :] / n_mels
        gains = (size * np.cos(np.pi * order * bands) / np.sqrt(1 + order)).astype(np.float32)
        self.curves = np.concatenate(
            [gains, np.zeros_like(gains), mfcc(gains, n_mfcc), np.zeros((CURVES, n_mfcc))], axis=1
        ).astype(np.float32)

    def random(self, count: int, rng: np.random.Generator) -> Float:
        """(count, columns) to add to vectors."""
        return rng.standard_normal((count, CURVES), np.float32) @ self.curves
