"""MagNet: the linear magnitude behind a log-mel, as a correction of the least-squares guess.

The spectrogram is a picture of bands of four neighbouring bins each, whose convolutions share their
weights over frequency: a harmonic is mended in the same way wherever it lies, so that a few minutes
of music do not overfit, as they do a network that treats bins as channels. What is the level of one
band among all others (a cymbal, a low note's overtones) passes through one narrow layer.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from melodygan.audio.griffin_lim import match_mel, mel_griffin_lim, mel_to_magnitude
from melodygan.audio.mel import LOG_FLOOR, MelConfig, mel_filterbank
from melodygan.audio.stft import mel_of_magnitude
from melodygan.models.vocoder.config import QUALITIES, MagNetParams
from melodygan.models.vocoder.lengths import at_least, reflected

PRIOR_ROUNDS = 5  # of mel correction; more change the guess by less than 0.1 %
GROUP = 4  # neighbouring bins that make a band
KERNEL = (7, 5)  # bands and frames that a block sees
MIXED, MIXED_FRAMES = 96, 7  # channels of the layer over all bands, and frames that it sees
PIECE = 256  # frames that are worked off at a time, in two thirds of the time
FLOOR, MIDDLE, SPREAD = -9.2, -5.0, 3.0  # of log-magnitudes as the network's inputs, in ln units


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


class Pointwise(nn.Sequential):
    """The pointwise half of a ConvNeXt block, over the last axis (Liu et al. 2022)."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__(
            nn.LayerNorm(channels),
            nn.Linear(channels, wider * channels),
            nn.GELU(),
            nn.Linear(wider * channels, channels),
        )


class Block(nn.Module):
    """Depthwise convolution over bands and frames, then a pointwise network; residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        padding = (KERNEL[0] // 2, KERNEL[1] // 2)
        self.depthwise = nn.Conv2d(channels, channels, KERNEL, padding=padding, groups=channels)
        self.pointwise = Pointwise(channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, bands, frames) -> the same."""
        return x + self.pointwise(self.depthwise(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mixer(nn.Module):
    """What all bands of a frame and its neighbours say to each of them; residual."""

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        narrow = max(1, channels // 4)
        self.narrow = nn.Conv2d(channels, narrow, 1)
        self.enter = nn.Conv1d(narrow * bands, MIXED, 1)
        self.depthwise = nn.Conv1d(
            MIXED, MIXED, MIXED_FRAMES, padding=MIXED_FRAMES // 2, groups=MIXED
        )
        self.pointwise = Pointwise(MIXED, 3)
        self.leave = nn.Conv1d(MIXED, narrow * bands, 1)
        self.widen = nn.Conv2d(narrow, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, bands, frames) -> the same."""
        narrow = functional.gelu(self.narrow(x))
        frame = self.enter(narrow.flatten(1, 2))
        frame = frame + self.pointwise(self.depthwise(frame).mT).mT
        return x + self.widen(self.leave(frame).view_as(narrow))


class MagNet(nn.Module):
    """Prior and least-squares log-magnitude in, natural log of the linear magnitude out.

    The head starts at zero, so an untrained network answers the prior: what is learned is only
    what the mel has lost.
    """

    def __init__(self, audio: MelConfig, channels: int, blocks: int) -> None:
        super().__init__()
        self.bands = -(-audio.n_bins // GROUP)
        self.reach = 1 + blocks * (KERNEL[1] // 2) + MIXED_FRAMES // 2  # frames on each side
        self.enter = nn.Conv2d(2 * GROUP, channels, 3, padding=1)
        self.position = nn.Parameter(torch.zeros(1, channels, self.bands, 1))
        before = blocks // 2
        self.before = nn.Sequential(*[Block(channels) for _ in range(before)])
        self.mixer = Mixer(channels, self.bands)
        self.after = nn.Sequential(*[Block(channels) for _ in range(blocks - before)])
        self.head = nn.Conv2d(channels, GROUP, 1)
        for weight in self.head.parameters():
            nn.init.zeros_(weight)

    def forward(self, prior: Tensor, guess: Tensor) -> Tensor:
        """Twice (batch, bins, frames) in ln units -> the same."""
        batch, bins, frames = prior.shape
        pictures = torch.stack([prior, guess], 1).clamp_min(FLOOR).sub(MIDDLE).div(SPREAD)
        pictures = functional.pad(pictures, (0, 0, 0, self.bands * GROUP - bins))
        pictures = pictures.view(batch, 2, self.bands, GROUP, frames).transpose(2, 3).flatten(1, 2)
        # with the channels innermost a training step takes two thirds of the time
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        hidden = self.before(self.enter(pictures) + self.position)
        gain = self.head(self.after(self.mixer(hidden)))
        return prior + gain.transpose(1, 2).flatten(1, 2)[:, :bins]


class MagNetVocoder(nn.Module):
    """MagNet, then fast Griffin-Lim: (batch, n_mels, frames) -> (batch, frames * hop_length).

    true_mel: whether the log-mel is true, so that the sound must have it; otherwise the network may
    mend that too, and the sound gets the mel of its answer.
    """

    def __init__(self, network: MagNet, audio: MelConfig, iterations: int, true_mel: bool) -> None:
        super().__init__()
        self.magnet, self.audio, self.iterations = network, audio, iterations
        self.true_mel = true_mel

    @classmethod
    def of(cls, params: MagNetParams, audio: MelConfig, true_mel: bool) -> Self:
        """An untrained one, which answers as the synthesis would from the prior alone."""
        network = MagNet(audio, params.channels, params.blocks)
        return cls(network, audio, QUALITIES[params.quality], true_mel)

    def forward(self, log_mel: Tensor, lead: Tensor | None = None) -> Tensor:
        """Sound of log-mel; lead: see `vocoder.py`."""
        long = at_least(log_mel, reflected(self.audio))
        magnitude = self.log_magnitude(long).float().exp().clamp_min(LOG_FLOOR)
        wanted = long if self.true_mel else mel_of_magnitude(magnitude, self.audio)
        sound = mel_griffin_lim(wanted, magnitude, self.audio, self.iterations, lead)
        return sound[:, : log_mel.shape[-1] * self.audio.hop_length]

    def log_magnitude(self, log_mel: Tensor) -> Tensor:
        """(batch, n_mels, frames) -> (batch, bins, frames), in pieces that the cache can hold."""
        reach, frames, parts = self.magnet.reach, log_mel.shape[-1], []
        for start in range(0, frames, PIECE):
            before = min(start, reach)
            piece = log_mel[..., start - before : start + PIECE + reach]
            answer = self.magnet(*network_inputs(piece, self.audio))
            parts.append(answer[..., before : before + PIECE])
        return torch.cat(parts, -1)


def network_inputs(log_mel: Tensor, audio: MelConfig) -> tuple[Tensor, Tensor]:
    """What MagNet sees of (batch, n_mels, frames): prior and least-squares guess, in ln units."""
    return log_prior(log_mel, audio), mel_to_magnitude(log_mel, audio).log()


class PlainSynthesis(nn.Module):
    """What MagNetVocoder would be without MagNet: the search starts at the least-squares guess."""

    def __init__(self, audio: MelConfig, iterations: int) -> None:
        super().__init__()
        self.audio, self.iterations = audio, iterations

    def forward(self, log_mel: Tensor, lead: Tensor | None = None) -> Tensor:
        """Sound of log-mel; lead: see `vocoder.py`."""
        long = at_least(log_mel, reflected(self.audio))
        guess = mel_to_magnitude(long, self.audio)
        sound = mel_griffin_lim(long, guess, self.audio, self.iterations, lead)
        return sound[:, : log_mel.shape[-1] * self.audio.hop_length]
