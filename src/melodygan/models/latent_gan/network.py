"""Generator and discriminator: small residual networks over the grid of latents."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Residual block of two 3x3 convolutions; no normalisation, which penalties make needless."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same."""
        y = self.first(functional.leaky_relu(x, 0.2))
        return x + 0.5 * self.second(functional.leaky_relu(y, 0.2))


class Generator(nn.Module):
    """Noise (batch, noise_dim) -> whitened latents (batch, dim, height, width).

    labels: how many it knows; 0, none. A label moves the grid that it starts from.

    Starts from a grid of a quarter of the size, in which every cell sees the whole noise vector,
    and doubles it. The last doubling is a rearrangement of channels (Shi et al. 2016,
    https://arxiv.org/abs/1609.05158): blocks on the whole grid would cost most of the time.
    """

    def __init__(
        self, noise_dim: int, channels: int, shape: tuple[int, int, int], labels: int = 0
    ) -> None:
        super().__init__()
        dim, self.height, self.width = shape
        self.noise_dim, self.channels, self.labels = noise_dim, channels, labels
        self.grid = (-(-self.height // 4), -(-self.width // 4))
        self.start = nn.Linear(noise_dim + labels, channels * self.grid[0] * self.grid[1])
        self.small, self.large = Block(channels), Block(channels)
        self.out = nn.Sequential(nn.Conv2d(channels, 4 * dim, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents of noise and, where it knows some, of labels: indices, (batch,)."""
        if labels is not None:
            which = functional.one_hot(labels, self.labels).to(noise.dtype)
            noise = torch.cat([noise, which], 1)
        x = self.small(self.start(noise).reshape(len(noise), self.channels, *self.grid))
        x = self.large(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.out(functional.leaky_relu(x, 0.2))[:, :, : self.height, : self.width]


class Discriminator(nn.Module):
    """Whitened latents (batch, dim, height, width) -> logits (batch,), high for real.

    The last block also sees how much the batch varies (Karras et al. 2018,
    https://arxiv.org/abs/1710.10196, section 3), so that a generator with few outputs is caught.
    With labels, what the last block hears is projected on the label's vector (Miyato and Koyama
    2018, https://arxiv.org/abs/1802.05637).
    """

    def __init__(self, channels: int, shape: tuple[int, int, int], labels: int = 0) -> None:
        super().__init__()
        dim, height, width = shape
        grid = (-(-height // 4), -(-width // 4))
        self.padding = (0, 4 * grid[1] - width, 0, 4 * grid[0] - height)
        self.start = nn.Conv2d(dim, channels, 4, stride=2, padding=1)
        self.large, self.small = Block(channels), Block(channels)
        self.mix = nn.Conv2d(channels + 1, channels, 3, padding=1)
        self.out = nn.Linear(channels * grid[0] * grid[1], 1)
        self.classes = nn.Embedding(labels, channels) if labels else None

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits; labels as in the generator."""
        x = self.large(self.start(functional.pad(latents, self.padding)))
        x = self.small(functional.avg_pool2d(x, 2))
        spread = (x.var(0, correction=0) + 1e-8).sqrt().mean().expand(len(x), 1, *x.shape[2:])
        x = self.mix(torch.cat([functional.leaky_relu(x, 0.2), spread], 1))
        x = functional.leaky_relu(x, 0.2)
        logits = self.out(x.flatten(1))[:, 0]
        if self.classes is not None and labels is not None:
            logits = logits + (self.classes(labels) * x.mean((2, 3))).sum(1)
        return logits
