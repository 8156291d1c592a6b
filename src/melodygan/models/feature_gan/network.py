"""Generator and discriminator: small layers over latents of the autoencoder, with labels.

Labels are rows of ones and zeros, (batch, labels).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Matrix = NDArray[np.float64]


class Gaussians:
    """A Gaussian for each label: what a GAN of vectors has to beat.

    mean: (labels, latent). axes: (labels, latent, latent), whose rows are the axes of the
    covariance, as long as the spread along them.
    """

    def __init__(self, latents: Matrix, label: NDArray[np.intp], labels: int) -> None:
        means, axes = [], []
        for index in range(labels):
            of = latents[label == index]
            variances, directions = np.linalg.eigh(np.cov(of.T, ddof=0).reshape(of.shape[1], -1))
            means.append(of.mean(0))
            axes.append((directions * np.sqrt(np.maximum(variances, 0))).T)
        self.mean, self.axes = np.stack(means), np.stack(axes)

    def draw(self, label: NDArray[np.intp], rng: np.random.Generator) -> Matrix:
        """Latents for labels (count,), (count, latent)."""
        noise = rng.standard_normal((len(label), self.mean.shape[1]))
        return self.mean[label] + np.einsum("cn,cnd->cd", noise, self.axes[label])


class Generator(nn.Module):
    """Noise (batch, noise_dim) and labels -> latents (batch, latent).

    A linear map for each label, and layers that add to it what no Gaussian has. `fit` starts them
    as the label's Gaussian and as nothing.
    """

    def __init__(self, noise_dim: int, labels: int, latent: int, width: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(labels, latent))
        self.axes = nn.Parameter(torch.zeros(labels, noise_dim, latent))
        self.layers = nn.Sequential(
            nn.Linear(noise_dim + labels, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, latent),
        )

    @torch.no_grad()
    def fit(self, gaussians: Gaussians) -> None:
        """Start as Gaussians; of more axes than there is noise, the longest."""
        self.mean.copy_(torch.from_numpy(gaussians.mean))
        axes = torch.from_numpy(gaussians.axes).flip(1)[:, : self.axes.shape[1]]
        self.axes[:, : axes.shape[1]] = axes.float()
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Latents of noise."""
        linear = torch.einsum("bl,bn,lnd->bd", labels, noise, self.axes)
        return labels @ self.mean + linear + self.layers(torch.cat([noise, labels], 1))


class Discriminator(nn.Module):
    """Latents (batch, latent) and labels -> logits (batch,), high for real.

    The label enters by projection (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).
    Beside each latent stands how much the batch varies within its label (after Karras et al. 2018,
    https://arxiv.org/abs/1710.10196, section 3), so that a generator with few outputs is caught.
    """

    def __init__(self, labels: int, latent: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * latent, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
        )
        self.out = nn.Linear(width, 1)
        self.labels = nn.Linear(labels, width, bias=False)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Logits."""
        share = labels.T / labels.sum(0)[:, None].clamp_min(1)  # of each row in its label's mean
        variance = share @ latents.square() - (share @ latents).square()
        spread = labels @ variance.clamp_min(1e-6).sqrt()
        hidden = self.layers(torch.cat([latents, spread], 1))
        return self.out(hidden)[:, 0] + (self.labels(labels) * hidden).sum(1)
