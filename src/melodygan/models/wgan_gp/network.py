"""Generator and critic: dense and transposed convolutions, and the same backwards."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from melodygan.models.wgan_gp.config import WGANGPParams

Shape = tuple[int, int, int]

SMALLEST = 4  # rows of the grid on which the generator starts, about
HIDDEN = 128  # features in which the critic weighs a clip against its label
SLOPE = 0.2  # of the LeakyReLU below 0


def widths_of(channels: int, shape: Shape) -> list[int]:
    """Channels of the grids between the largest, which has half of each size, and the smallest."""
    doublings = max(1, round(math.log2(shape[1] / SMALLEST)))
    return [channels * min(2**level, 8) for level in range(doublings)]


def grid_of(shape: Shape, doublings: int) -> tuple[int, int]:
    """Height and width of the smallest grid; times 2^doublings they reach at least `shape`."""
    return -(-shape[1] // 2**doublings), -(-shape[2] // 2**doublings)


class Generator(nn.Module):
    """Noise (batch, noise_dim) and label indices (batch,) -> samples (batch, *shape).

    Of log-mel it ends in a ReLU, as the scale starts at 0. Of latents it says what to add to a
    sample of the label's Gaussian, which the same noise gives, at first nothing.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, params: WGANGPParams, labels: int, shape: Shape) -> None:
        super().__init__()
        self.shape, self.of_mel = shape, params.space == "mel"
        widths = widths_of(params.channels, shape)[::-1]
        self.grid = (widths[0], *grid_of(shape, len(widths)))
        self.label = nn.Embedding(labels, params.label_dim)
        self.start = nn.Linear(params.noise_dim + params.label_dim, math.prod(self.grid))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
            for inputs, outputs in zip(widths, [*widths[1:], shape[0]], strict=True)
        )
        if not self.of_mel:
            for weights in self.up[-1].parameters():
                nn.init.zeros_(weights)
            self.register_buffer("mean", torch.zeros(labels, *shape))
            self.register_buffer("axes", torch.zeros(labels, params.noise_dim, *shape))

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Samples."""
        x = self.start(torch.cat([noise, self.label(labels)], 1)).unflatten(1, self.grid)
        for layer in self.up:
            x = layer(functional.relu(x))
        x = x[:, :, : self.shape[1], : self.shape[2]]
        return functional.relu(x) if self.of_mel else x + self.gaussian(noise, labels)

    def gaussian(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Samples of the labels' Gaussians, `mean` and `axes` of `principal_axes`."""
        result = self.mean[labels]
        for label in labels.unique():  # gathering each row's own axes would take longer
            rows = labels == label
            result[rows] += torch.einsum("bk,kchw->bchw", noise[rows], self.axes[label])
        return result


class Critic(nn.Module):
    """Samples (batch, *shape) and label indices (batch,) -> scores (batch,), high for real.

    Without batch normalisation: the penalty is on the gradient of each example by itself.
    """

    def __init__(self, channels: int, labels: int, shape: Shape) -> None:
        super().__init__()
        widths = widths_of(channels, shape)
        grid = grid_of(shape, len(widths))
        scale = 2 ** len(widths)
        self.padding = (0, scale * grid[1] - shape[2], 0, scale * grid[0] - shape[1])
        self.down = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
            for inputs, outputs in zip([shape[0], *widths], widths, strict=False)
        )
        self.features = nn.Linear(widths[-1] * math.prod(grid), HIDDEN)
        self.score = nn.Linear(HIDDEN, 1)
        self.label = nn.Embedding(labels, HIDDEN)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Scores: how real, and how much like the label."""
        x = functional.pad(samples, self.padding)
        for layer in self.down:
            x = functional.leaky_relu(layer(x), SLOPE)
        x = functional.leaky_relu(self.features(x.flatten(1)), SLOPE)
        return self.score(x)[:, 0] + (x * self.label(labels)).sum(1) / math.sqrt(HIDDEN)
