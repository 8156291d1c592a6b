"""MelGAN's generator and discriminators."""

import math
from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import MelGANParams
from melodygan.models.vocoder.lengths import at_least, require_hop, upsampling_reach

SLOPE = 0.2  # of leaky ReLUs
DILATIONS = (1, 3, 9)  # of the residual blocks after each upsampling
ENDS = 7  # kernel of the first and the last convolution
SCALES = 3  # of discriminators
LAYERS, FACTOR = 4, 4  # strided layers of a discriminator, and their stride
WIDEST = 1024  # channels


def _normed(module: nn.Module) -> nn.Module:
    """Weight normalised, from N(0, 0.02) as published."""
    nn.init.normal_(module.weight, 0.0, 0.02)  # type: ignore[arg-type]
    return weight_norm(module)


class ResidualBlock(nn.Module):
    """A dilated and a pointwise convolution beside a pointwise shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            nn.ReflectionPad1d(dilation),
            _normed(nn.Conv1d(channels, channels, 3, dilation=dilation)),
            nn.LeakyReLU(SLOPE),
            _normed(nn.Conv1d(channels, channels, 1)),
        )
        self.shortcut = _normed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, time) -> the same."""
        return self.shortcut(x) + self.block(x)


class MelGAN(nn.Module):
    """(batch, n_mels, frames) of log-mel -> (batch, frames * hop_length).

    channels: of the last layer, 32 in the paper; those before have twice as many each.
    """

    def __init__(self, n_mels: int, channels: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.rates = tuple(rates)
        width = channels * 2 ** len(rates)
        layers: list[nn.Module] = [
            nn.ReflectionPad1d(ENDS // 2),
            _normed(nn.Conv1d(n_mels, width, ENDS)),
        ]
        for rate in rates:
            up = nn.ConvTranspose1d(
                width, width // 2, 2 * rate, rate, rate // 2 + rate % 2, output_padding=rate % 2
            )
            width //= 2
            layers += [nn.LeakyReLU(SLOPE), _normed(up)]
            layers += [ResidualBlock(width, dilation) for dilation in DILATIONS]
        last = _normed(nn.Conv1d(width, 1, ENDS))
        layers += [nn.LeakyReLU(SLOPE), nn.ReflectionPad1d(ENDS // 2), last, nn.Tanh()]
        self.model = nn.Sequential(*layers)

    @classmethod
    def of(cls, params: MelGANParams, audio: MelConfig) -> Self:
        """Untrained. Raises UserError where the rates do not multiply to the hop."""
        require_hop(params.rates, audio, "melgan")
        return cls(audio.n_mels, params.channels, params.rates)

    def forward(self, log_mel: Tensor, lead: Tensor | None = None) -> Tensor:
        """Sound of log-mel; lead is not used."""
        frames = log_mel.shape[-1]
        log_mel = at_least(log_mel, self.shortest)
        sound = self.model(log_mel / math.log(10))[:, 0]
        return sound[:, : frames * math.prod(self.rates)]

    @property
    def shortest(self) -> int:
        """Frames that its reflections need."""
        scale, frames = 1, ENDS // 2 + 1
        for rate in self.rates:
            scale *= rate
            frames = max(frames, max(DILATIONS) // scale + 1)
        return frames

    @property
    def reach(self) -> int:
        """Frames on each side that a sample depends on."""
        return upsampling_reach(self.rates, ENDS, sum(DILATIONS))


class ScaleDiscriminator(nn.Module):
    """Strided, grouped convolutions over (batch, 1, samples). width: 16 in the paper."""

    def __init__(self, width: int) -> None:
        super().__init__()
        leaky = nn.LeakyReLU(SLOPE)
        layers = [nn.Sequential(nn.ReflectionPad1d(7), _normed(nn.Conv1d(1, width, 15)), leaky)]
        for _ in range(LAYERS):
            wider, kernel = min(width * FACTOR, WIDEST), 10 * FACTOR + 1
            convolution = nn.Conv1d(
                width, wider, kernel, FACTOR, padding=5 * FACTOR, groups=width // 4
            )
            layers.append(nn.Sequential(_normed(convolution), leaky))
            width = wider
        wider = min(2 * width, WIDEST)
        layers.append(nn.Sequential(_normed(nn.Conv1d(width, wider, 5, padding=2)), leaky))
        layers.append(nn.Sequential(_normed(nn.Conv1d(wider, 1, 3, padding=1))))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores and all activations, the scores last."""
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return x, maps


class MultiScale(nn.Module):
    """Three of them, at the full, a half and a quarter of the sample rate."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList([ScaleDiscriminator(width) for _ in range(SCALES)])
        self.downsample = nn.AvgPool1d(4, 2, padding=1, count_include_pad=False)

    def forward(self, audio: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """(batch, samples) -> what each of them says."""
        x, answers = audio[:, None], []
        for judge in self.discriminators:
            answers.append(judge(x))
            x = self.downsample(x)
        return answers
