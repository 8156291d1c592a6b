"""MagNet: the linear magnitude behind a log-mel, as a correction of the least-squares guess."""

from typing import Self

import torch
from torch import Tensor, nn

from melodygan.audio.griffin_lim import match_mel, mel_griffin_lim, mel_to_magnitude
from melodygan.audio.mel import LOG_FLOOR, MelConfig, mel_filterbank
from melodygan.models.vocoder.config import MagNetParams

PRIOR_ROUNDS = 5  # of mel correction; more change the guess by less than 0.1 %


def log_prior(log_mel: Tensor, config: MelConfig) -> Tensor:
    """Natural log of the guess that needs no training: pinv of the mel, corrected to have the mel.

    (batch, n_mels, frames) -> (batch, bins, frames). Above the centre of the highest mel filter
    the level there is held: the network starts near the truth where the mel is blind. Not so
    below the lowest one, where music without offset has nothing.
    """
    highest = int(mel_filterbank(config)[-1].argmax())
    guess = mel_to_magnitude(log_mel, config)
    guess = guess[:, torch.arange(config.n_bins).clamp_max(highest)]
    return match_mel(guess, log_mel, config, PRIOR_ROUNDS).log()


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
    """Log-mel and prior in, natural log of the linear magnitude out.

    The head starts at zero, so an untrained network answers the prior: what is learned is only
    what the mel has lost. mean, std: of the training log-mel (ln units), kept with the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, audio: MelConfig, channels: int, blocks: int, mean: float = 0.0, std: float = 1.0
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.enter = nn.Conv1d(audio.n_mels, channels, 7, padding=3)
        self.blocks = nn.Sequential(*[ConvNeXtBlock(channels) for _ in range(blocks)])
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, audio.n_bins)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, log_mel: Tensor, prior: Tensor) -> Tensor:
        """(batch, n_mels, frames) and (batch, bins, frames) -> (batch, bins, frames)."""
        hidden = self.blocks(self.enter((log_mel - self.mean) / self.std))
        return prior + self.head(self.norm(hidden.mT)).mT


class MagNetVocoder(nn.Module):
    """MagNet, then fast Griffin-Lim: (batch, n_mels, frames) -> (batch, frames * hop_length)."""

    def __init__(self, network: MagNet, audio: MelConfig, iterations: int) -> None:
        super().__init__()
        self.magnet, self.audio, self.iterations = network, audio, iterations

    @classmethod
    def of(cls, params: MagNetParams, audio: MelConfig) -> Self:
        """An untrained one, which answers as the synthesis would without a network."""
        return cls(MagNet(audio, params.channels, params.blocks), audio, params.iterations)

    def forward(self, log_mel: Tensor, lead: Tensor | None = None) -> Tensor:
        """Sound of log-mel; lead: see `vocoder.py`."""
        log_magnitude = self.magnet(log_mel, log_prior(log_mel, self.audio))
        magnitude = log_magnitude.float().exp().clamp_min(LOG_FLOOR)
        return mel_griffin_lim(log_mel, magnitude, self.audio, self.iterations, lead)
