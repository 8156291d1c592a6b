"""The velocity of a flow: a small U-Net over a window of latents that knows time and label."""

import torch
from torch import Tensor, nn
from torch.nn import functional

WAVES = 6  # that tell the network the time, each twice as fast as the one before


class Block(nn.Module):
    """Residual block of two 3x3 convolutions; time and label scale and shift what is between.

    It changes nothing at first.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(1, channels) for _ in range(2)])
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.steer = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(batch, channels, height, width), (batch, condition) -> the first's shape."""
        scale, shift = self.steer(condition)[:, :, None, None].chunk(2, 1)
        y = self.first(functional.silu(self.norms[0](x)))
        y = self.norms[1](y) * (1 + scale) + shift
        return x + self.second(functional.silu(y))


class VelocityNet(nn.Module):
    """Windows of whitened latents on their way from noise -> where each goes from there.

    Some of a window's columns may be known already; what stands there is no mixture but the latents
    themselves, and a channel more tells so. labels: how many it knows; the index after the last
    stands for none. Patches of 2 by 2 cells are
    rearranged into channels (Shi et al. 2016, https://arxiv.org/abs/1609.05158): blocks on the
    whole grid would cost most of the time. The rows are told by what is added at the entrance,
    since a low note is not a high one; columns are all alike.
    """

    def __init__(self, components: int, height: int, channels: int, labels: int) -> None:
        super().__init__()
        condition = 4 * channels
        self.time = nn.Linear(2 * WAVES, condition)
        self.label = nn.Embedding(labels + 1, condition)
        self.enter = nn.Conv2d(4 * (components + 1), channels, 3, padding=1)
        self.rows = nn.Parameter(torch.zeros(channels, -(-height // 4) * 2, 1))
        make = lambda width: nn.ModuleList([Block(width, condition) for _ in range(2)])  # noqa: E731
        self.before, self.inner, self.after = make(channels), make(2 * channels), make(channels)
        self.down = nn.Conv2d(channels, 2 * channels, 2, stride=2)
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.norm = nn.GroupNorm(1, channels)
        self.out = nn.Conv2d(channels, 4 * components, 3, padding=1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, known: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        """Velocity of x (batch, components, height, columns) at times (batch,) in [0, 1].

        known: (batch, columns), 1 or 0. labels: (batch,) indices. The velocity of what is known
        means nothing.
        """
        height, columns = x.shape[2:]
        told = known[:, None, None].expand(-1, 1, height, -1)
        x = torch.cat([x, told], 1)
        x = functional.pad(x, (0, -columns % 4, 0, -height % 4))
        angles = torch.pi / 2 * times[:, None] * 2.0 ** torch.arange(WAVES, device=x.device)
        condition = self.time(torch.cat([angles.sin(), angles.cos()], 1)) + self.label(labels)
        condition = functional.silu(condition)
        x = self.enter(functional.pixel_unshuffle(x, 2)) + self.rows
        for block in self.before:
            x = block(x, condition)
        y = self.down(x)
        for block in self.inner:
            y = block(y, condition)
        x = x + self.up(y)
        for block in self.after:
            x = block(x, condition)
        x = self.out(functional.silu(self.norm(x)))
        return functional.pixel_shuffle(x, 2)[:, :, :height, :columns]
