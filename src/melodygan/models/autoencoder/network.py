"""Encoder and decoder: principal components, and layers that learn what those miss."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Matrix = NDArray[np.float64]


class Autoencoder(nn.Module):
    """Pooled vectors (batch, columns) <-> latents (batch, latent).

    Vectors are standardised inside. Latents start as principal components of unit variance.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, columns: int, widths: list[int], latent: int, dropout: float) -> None:
        super().__init__()
        self.encoder = _layers([columns, *widths, latent], dropout)
        self.decoder = _layers([latent, *reversed(widths), columns], dropout)
        self.inward = nn.Linear(columns, latent)
        self.outward = nn.Linear(latent, columns)
        for name in ("mean", "std"):
            self.register_buffer(name, torch.zeros(columns))

    @torch.no_grad()
    def fit(self, vectors: Matrix) -> None:
        """Set statistics and linear path by training vectors (rows, columns)."""
        mean, std = vectors.mean(0), vectors.std(0) + 1e-6
        components = PCA((vectors - mean) / std, self.inward.out_features)
        scale = components.scale[:, None]
        for target, value in (
            (self.mean, mean),
            (self.std, std),
            (self.inward.weight, components.axes / scale),
            (self.outward.weight, (components.axes * scale).T),
        ):
            target.copy_(torch.from_numpy(np.ascontiguousarray(value)))
        for target in (self.inward.bias, self.outward.bias):
            target.zero_()

    def standardise(self, vectors: Tensor) -> Tensor:
        """Each column brought to mean 0 and spread 1 over the training vectors."""
        return (vectors - self.mean) / self.std

    def encode(self, vectors: Tensor) -> Tensor:
        """Latents of standardised vectors."""
        return self.inward(vectors) + self.encoder(vectors)

    def decode(self, latents: Tensor) -> Tensor:
        """Standardised vectors of latents."""
        return self.outward(latents) + self.decoder(latents)

    def forward(self, vectors: Tensor) -> Tensor:
        """Standardised vectors -> the same through the latents."""
        return self.decode(self.encode(vectors))

    def linear(self) -> list[nn.Parameter]:
        """The weights of the linear path."""
        return [*self.inward.parameters(), *self.outward.parameters()]

    def layers(self) -> list[nn.Parameter]:
        """The weights of everything beside it."""
        return [*self.encoder.parameters(), *self.decoder.parameters()]


class PCA:
    """Principal components of rows (rows, columns) of mean 0.

    axes: (count, columns), orthonormal; scale: (count,), the components' spreads. Where the rows
    span fewer dimensions, the last axes are zero and their scales one.
    """

    def __init__(self, rows: Matrix, count: int) -> None:
        _, singular, axes = np.linalg.svd(rows, full_matrices=False)
        found = int((singular[:count] > 1e-6 * singular[0]).sum())
        self.axes, self.scale = np.zeros((count, rows.shape[1])), np.ones(count)
        self.axes[:found] = axes[:found]
        self.scale[:found] = singular[:found] / np.sqrt(len(rows))

    def rebuild(self, rows: Matrix) -> Matrix:
        """What the components keep of rows (rows, columns)."""
        return rows @ self.axes.T @ self.axes


def _layers(sizes: list[int], dropout: float) -> nn.Sequential:
    """Fully connected layers with GELU; the last one starts at zero."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.GELU(), nn.Dropout(dropout)]
    last = nn.Linear(sizes[-2], sizes[-1])
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)
