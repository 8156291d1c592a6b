"""HiFi-GAN and MelGAN are the published ones: layer for layer, with weights by their names.

What is published: the checkpoints of jik876/hifi-gan and descriptinc/melgan-neurips, whose weights
carry the names of torch's older weight norm (`weight_g`, `weight_v`). Here the networks are written
down again from the papers (Kong et al. 2020, appendix A; Kumar et al. 2019, appendix A), with torch
alone: the weight is spelled out as g v / |v|, and every layer as a function of its tensors.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from melodygan.models.vocoder.hifigan.network import HiFiGAN
from melodygan.models.vocoder.melgan.network import MelGAN

MELS = 20


class Tensors:
    """A public state dict; gives layers by the names there, and knows which names were used."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors, self.used = tensors, set[str]()

    def __getitem__(self, name: str) -> Tensor:
        self.used.add(name)
        return self.tensors[name]

    def weight(self, layer: str) -> Tensor:
        """The weight-normalised one: each first-axis slice of v has the length g."""
        v = self[f"{layer}.weight_v"]
        length = v.flatten(1).square().sum(1).sqrt().view(-1, *[1] * (v.dim() - 1))
        return self[f"{layer}.weight_g"] * v / length

    def conv(self, x: Tensor, layer: str, **how: Any) -> Tensor:
        return functional.conv1d(x, self.weight(layer), self[f"{layer}.bias"], **how)

    def up(self, x: Tensor, layer: str, rate: int, padding: int) -> Tensor:
        weight, bias = self.weight(layer), self[f"{layer}.bias"]
        return functional.conv_transpose1d(x, weight, bias, stride=rate, padding=padding)


def leaky(x: Tensor, slope: float) -> Tensor:
    return torch.where(x > 0, x, slope * x)


def hifigan(of: Tensors, mel: Tensor, version: int) -> Tensor:
    """The generator of V2 (ResBlock1) or V3 (ResBlock2)."""
    rates, kernels = {2: ((8, 8, 2, 2), (3, 7, 11)), 3: ((8, 8, 4), (3, 5, 7))}[version]
    x = of.conv(mel, "conv_pre", padding=3)
    for i, rate in enumerate(rates):
        x = of.up(leaky(x, 0.1), f"ups.{i}", rate, rate // 2)
        total = torch.zeros_like(x)
        for j, kernel in enumerate(kernels):
            block, y = f"resblocks.{3 * i + j}", x
            dilations = (1, 3, 5) if version == 2 else ((1, 2), (2, 6), (3, 12))[j]
            for k, dilation in enumerate(dilations):
                padding = dilation * (kernel - 1) // 2
                first = f"{block}.convs1.{k}" if version == 2 else f"{block}.convs.{k}"
                z = of.conv(leaky(y, 0.1), first, padding=padding, dilation=dilation)
                if version == 2:
                    z = of.conv(leaky(z, 0.1), f"{block}.convs2.{k}", padding=(kernel - 1) // 2)
                y = y + z
            total = total + y
        x = total / 3
    return torch.tanh(of.conv(leaky(x, 0.01), "conv_post", padding=3))[:, 0]


def melgan(of: Tensors, mel: Tensor) -> Tensor:
    """The generator; its layers are numbered with those that have no tensors."""

    def reflected(x: Tensor, size: int) -> Tensor:
        return functional.pad(x, (size, size), mode="reflect")

    x = of.conv(reflected(mel / math.log(10), 3), "model.1")  # it hears log10
    layer = 2
    for rate in (8, 8, 2, 2):
        x = of.up(leaky(x, 0.2), f"model.{layer + 1}", rate, rate // 2)
        for k in range(3):
            name = f"model.{layer + 2 + k}"
            y = of.conv(reflected(leaky(x, 0.2), 3**k), f"{name}.block.2", dilation=3**k)
            x = of.conv(x, f"{name}.shortcut") + of.conv(leaky(y, 0.2), f"{name}.block.4")
        layer += 5
    return torch.tanh(of.conv(reflected(leaky(x, 0.2), 3), f"model.{layer + 2}"))[:, 0]


Case = tuple[Callable[[], nn.Module], Callable[[Tensors, Tensor], Tensor]]
CASES: dict[str, Case] = {
    "HiFi-GAN V2": (
        lambda: HiFiGAN(MELS, 32, [8, 8, 2, 2], 1),
        lambda of, mel: hifigan(of, mel, 2),
    ),
    "HiFi-GAN V3": (lambda: HiFiGAN(MELS, 32, [8, 8, 4], 2), lambda of, mel: hifigan(of, mel, 3)),
    "MelGAN": (lambda: MelGAN(MELS, 4, [8, 8, 2, 2]), melgan),
}


def public(network: nn.Module) -> dict[str, Tensor]:
    """Random tensors with the names and shapes of a public checkpoint, at which sound is loud."""
    torch.manual_seed(0)
    tensors = {}
    for name, value in network.state_dict().items():
        name = name.replace("parametrizations.weight.original0", "weight_g")
        name = name.replace("parametrizations.weight.original1", "weight_v")
        gain = name.endswith("weight_g")
        tensors[name] = torch.rand_like(value) + 0.5 if gain else 0.1 * torch.randn_like(value)
    return tensors


@pytest.mark.parametrize("name", CASES)
def test_published_weights_give_the_published_sound(name: str) -> None:
    make, published = CASES[name]
    network = make().eval().double()  # or the rounding of a deep network hides small faults
    tensors = public(network)
    network.load_state_dict(tensors)
    for shape in ((2, MELS, 40), (1, MELS, 9)):
        mel = torch.randn(shape, dtype=torch.float64) - 4
        of = Tensors(tensors)
        with torch.no_grad():
            expected, found = published(of, mel), network(mel)
        assert of.used == set(tensors), "every tensor has its place"
        assert 0.01 < expected.std() < 0.9
        assert (found - expected).abs().max() <= 1e-9
    network.load_state_dict({key: value.flip(0) for key, value in tensors.items()})
    with torch.no_grad():
        assert (network(mel) - expected).abs().max() > 1e-3, "or any weights would do"
