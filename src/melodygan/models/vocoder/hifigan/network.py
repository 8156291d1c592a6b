"""HiFi-GAN's generator."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import HiFiGANParams
from melodygan.models.vocoder.lengths import require_hop, upsampling_reach

SLOPE = 0.1  # of leaky ReLUs
LAST_SLOPE = 0.01  # of the one before the last convolution: torch's default, as published
KERNELS = {1: (3, 7, 11), 2: (3, 5, 7)}  # of residual blocks, by their form
DILATIONS = {1: ((1, 3, 5),) * 3, 2: ((1, 2), (2, 6), (3, 12))}
ENDS = 7  # kernel of the first and the last convolution


def initialise(module: nn.Module) -> None:
    """N(0, 0.01) weights, as published. For all but the first and the residual convolutions."""
    nn.init.normal_(module.weight, 0.0, 0.01)  # type: ignore[arg-type]


def _convolution(channels: int, kernel: int, dilation: int) -> nn.Module:
    padding = (kernel - 1) * dilation // 2
    convolution = nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding)
    initialise(convolution)
    return weight_norm(convolution)


class ResBlock1(nn.Module):
    """The residual block of V1 and V2: pairs of a dilated and a plain convolution."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList([_convolution(channels, kernel, d) for d in dilations])
        self.convs2 = nn.ModuleList([_convolution(channels, kernel, 1) for _ in dilations])

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, time) -> the same."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(leaky_relu(dilated(leaky_relu(x, SLOPE)), SLOPE))
        return x


class ResBlock2(nn.Module):
    """That of V3: dilated convolutions alone."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList([_convolution(channels, kernel, d) for d in dilations])

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, time) -> the same."""
        for dilated in self.convs:
            x = x + dilated(leaky_relu(x, SLOPE))
        return x


class HiFiGAN(nn.Module):
    """(batch, n_mels, frames) of log-mel -> (batch, frames * hop_length).

    channels: of the first layer; 512 (V1), 128 (V2), 256 (V3). rates: of the upsampling layers, of
    each of which the kernel is twice as long. block: the form of residual blocks, 1 or 2.
    """

    def __init__(self, n_mels: int, channels: int, rates: Sequence[int], block: int) -> None:
        super().__init__()
        self.rates, self.block = tuple(rates), block
        self.conv_pre = weight_norm(nn.Conv1d(n_mels, channels, ENDS, padding=ENDS // 2))
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate in rates:
            kernel = 2 * rate + rate % 2
            up = nn.ConvTranspose1d(
                channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2
            )
            initialise(up)
            self.ups.append(weight_norm(up))
            channels //= 2
            kind = {1: ResBlock1, 2: ResBlock2}[block]
            for size, dilations in zip(KERNELS[block], DILATIONS[block], strict=True):
                self.resblocks.append(kind(channels, size, dilations))
        post = nn.Conv1d(channels, 1, ENDS, padding=ENDS // 2)
        initialise(post)
        self.conv_post = weight_norm(post)

    @classmethod
    def of(cls, params: HiFiGANParams, audio: MelConfig) -> Self:
        """Untrained. Raises UserError where the rates do not multiply to the hop."""
        require_hop(params.rates, audio, "hifigan")
        return cls(audio.n_mels, params.channels, params.rates, params.block)

    def forward(self, log_mel: Tensor, lead: Tensor | None = None) -> Tensor:
        """Sound of log-mel; lead is not used."""
        x = self.conv_pre(log_mel)
        width = len(KERNELS[self.block])
        for index, up in enumerate(self.ups):
            x = up(leaky_relu(x, SLOPE))
            blocks = self.resblocks[width * index : width * (index + 1)]
            x = sum((block(x) for block in blocks), torch.zeros(())) / width
        x = self.conv_post(leaky_relu(x, LAST_SLOPE))
        return torch.tanh(x)[:, 0]

    @property
    def reach(self) -> int:
        """Frames on each side that a sample depends on."""
        sizes = zip(KERNELS[self.block], DILATIONS[self.block], strict=True)
        widest = max(_spread(kernel, dilations, self.block) for kernel, dilations in sizes)
        return upsampling_reach(self.rates, ENDS, widest)


def _spread(kernel: int, dilations: Sequence[int], block: int) -> int:
    """Samples on each side that a residual block's answer depends on."""
    plain = len(dilations) if block == 1 else 0
    return kernel // 2 * (sum(dilations) + plain)


def published(config: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a public config.json. Raises ValueError for a form that is not published.

    Keys missing there raise KeyError.
    """
    block, rates = int(config["resblock"]), list(config["upsample_rates"])
    dilations = tuple(tuple(row) for row in config["resblock_dilation_sizes"])
    same = block in KERNELS and (
        list(config["upsample_kernel_sizes"]) == [2 * rate + rate % 2 for rate in rates]
        and tuple(config["resblock_kernel_sizes"]) == KERNELS[block]
        and dilations == DILATIONS[block]
    )
    if not same:
        raise ValueError("its kernels or dilations are not those of V1, V2 or V3")
    return {"channels": int(config["upsample_initial_channel"]), "rates": rates, "block": block}
