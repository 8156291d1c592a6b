"""Vocos: ConvNeXt blocks, and a head that gives magnitude and phase to an inverse transform."""

import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from melodygan.audio.mel import MelConfig, window
from melodygan.audio.stft import TINY, overlap_add
from melodygan.models.vocoder.config import VocosParams
from melodygan.models.vocoder.magnet.network import Pointwise, log_prior

KERNEL = 7  # frames
LOUDEST = 1e2  # of a bin's magnitude, as published
MIDDLE, SPREAD = -5.0, 3.0  # of a log-mel as the network's input, in ln units


class Block(nn.Module):
    """A ConvNeXt block over time, with the published scale of its branch."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels)
        self.pointwise = Pointwise(channels, 3)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, frames) -> the same."""
        return x + (self.scale * self.pointwise(self.depthwise(x).transpose(1, 2))).transpose(1, 2)


class Inverse(nn.Module):
    """Inverse transform of frames: magnitude and phase, (batch, bins, frames) -> (batch, samples).

    samples = frames * hop_length. `FastInverse` is the same by FFT; this one knows real numbers and
    convolutions only, so that it can be exported.
    """

    basis: Tensor
    squares: Tensor

    def __init__(self, audio: MelConfig) -> None:
        super().__init__()
        self.audio = audio
        hann = torch.tensor(window(audio)).double()
        bins = torch.arange(audio.n_bins, dtype=torch.float64)[:, None]
        angles = 2 * math.pi * bins * torch.arange(audio.n_fft) / audio.n_fft
        twice = torch.where((bins == 0) | (2 * bins == audio.n_fft), 1.0, 2.0)
        waves = torch.cat([twice * angles.cos(), -twice * angles.sin()])
        basis = (waves / audio.n_fft * hann)[:, None].float()
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("squares", (hann**2)[None, None].float(), persistent=False)

    def forward(self, magnitude: Tensor, phase: Tensor) -> Tensor:
        """Sound of a spectrum."""
        hop, padding = self.audio.hop_length, self.audio.padding
        parts = torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], 1)
        total = functional.conv_transpose1d(parts, self.basis, stride=hop)
        ones = torch.ones_like(magnitude[:1, :1])
        weight = functional.conv_transpose1d(ones, self.squares, stride=hop)
        inside = slice(padding, padding + magnitude.shape[-1] * hop)
        return total[:, 0, inside] / weight[:, 0, inside].clamp_min(TINY)


class FastInverse(nn.Module):
    """The same by FFT."""

    def __init__(self, audio: MelConfig) -> None:
        super().__init__()
        self.audio = audio

    def forward(self, magnitude: Tensor, phase: Tensor) -> Tensor:
        """Sound of a spectrum."""
        hop, padding = self.audio.hop_length, self.audio.padding
        hann = torch.tensor(window(self.audio), device=phase.device)
        spec = torch.polar(magnitude, phase).mT
        total = overlap_add(torch.fft.irfft(spec, self.audio.n_fft) * hann, hop)
        weight = overlap_add((hann**2).expand(1, spec.shape[1], -1), hop)
        inside = slice(padding, padding + spec.shape[1] * hop)
        return total[:, inside] / weight[:, inside].clamp_min(TINY)


class Vocos(nn.Module):
    """(batch, n_mels, frames) of log-mel -> (batch, frames * hop_length).

    Magnitudes start at the prior's, since that half of the head starts at zero.
    """

    def __init__(self, audio: MelConfig, channels: int, blocks: int) -> None:
        super().__init__()
        self.audio = audio
        self.enter = nn.Conv1d(audio.n_mels, channels, KERNEL, padding=KERNEL // 2)
        self.norm = nn.LayerNorm(channels)
        self.blocks = nn.Sequential(*[Block(channels, 1 / blocks) for _ in range(blocks)])
        self.last_norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, 2 * audio.n_bins)
        self.inverse: nn.Module = FastInverse(audio)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):  # as published
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.head.weight[: audio.n_bins] = 0.0

    @classmethod
    def of(cls, params: VocosParams, audio: MelConfig) -> Self:
        """An untrained one."""
        return cls(audio, params.channels, params.blocks)

    def forward(self, log_mel: Tensor, lead: Tensor | None = None) -> Tensor:
        """Sound of log-mel; lead is not used."""
        entered = self.enter((log_mel - MIDDLE) / SPREAD).transpose(1, 2)
        hidden = self.blocks(self.norm(entered).transpose(1, 2)).transpose(1, 2)
        answer = self.head(self.last_norm(hidden)).transpose(1, 2).float()
        correction, phase = answer.chunk(2, 1)
        magnitude = (log_prior(log_mel.float(), self.audio) + correction).exp().clamp_max(LOUDEST)
        return self.inverse(magnitude, phase)

    @property
    def reach(self) -> int:
        """Frames on each side that a sample depends on."""
        over_time = KERNEL // 2 * (1 + len(self.blocks))
        return over_time + math.ceil(
            (self.audio.n_fft - self.audio.padding) / self.audio.hop_length
        )
