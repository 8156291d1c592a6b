"""MagNet: the linear magnitude behind a log-mel, as a correction of the least-squares guess."""

import math

import torch
from torch import Tensor, nn

from melodygan.audio.griffin_lim import mel_to_magnitude
from melodygan.audio.mel import MelConfig


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then a pointwise network; residual (Liu et al. 2022)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(channels, channels, 7, padding=3, groups=channels)
        self.pointwise = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 3 * channels),
            nn.GELU(),
            nn.Linear(3 * channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, frames) -> the same."""
        return x + self.pointwise(self.over_time(x).mT).mT


class MagNet(nn.Module):
    """Log-mel (batch, n_mels, frames) -> natural log of the linear magnitude (.., bins, ..).

    The head starts at zero, so an untrained network answers log(pinv(mel)): what is learned is
    only what the mel has lost. mean, std: of the training log-mel, stored with the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, audio: MelConfig, channels: int, blocks: int, floor: float) -> None:
        super().__init__()
        self.audio, self.log_floor = audio, math.log(floor)
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))
        self.enter = nn.Conv1d(audio.n_mels, channels, 7, padding=3)
        self.blocks = nn.Sequential(*[ConvNeXtBlock(channels) for _ in range(blocks)])
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, audio.n_bins)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
