"""The CycleGAN's networks are the published ones: layer for layer, with weights by their names.

What is published: junyanz/pytorch-CycleGAN-and-pix2pix, whose checkpoints hold the generator of
Zhu et al. 2017 as `model.1.weight`, `model.10.conv_block.1.weight`, ... and the discriminator as
`model.0.weight`, ... Here it is written down again from its description, with torch alone. One
thing differs on purpose: spectrograms have one channel, where pictures have three.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from melodygan.blocks.patchgan import PatchGAN
from melodygan.models.cyclegan.network import Generator

BLOCKS, WIDTH = 9, 8


norm = nn.InstanceNorm2d  # without weights, without running statistics


class Block(nn.Module):
    """The published residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            *[nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), norm(channels), nn.ReLU()],
            *[nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), norm(channels)],
        )

    def forward(self, x: Tensor) -> Tensor:
        """With its shortcut."""
        return x + self.conv_block(x)


class Published(nn.Module):
    """A sequence called `model`, as the checkpoints name it."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """The sequence."""
        return self.model(x)


def generator(width: int) -> Published:
    """c7s1-64, d128, d256, nine R256, u128, u64, c7s1-1, tanh (appendix 7.2 of the paper)."""

    def up(inputs: int) -> list[nn.Module]:
        half = inputs // 2
        convolution = nn.ConvTranspose2d(inputs, half, 3, stride=2, padding=1, output_padding=1)
        return [convolution, norm(half), nn.ReLU()]

    return Published(
        *[nn.ReflectionPad2d(3), nn.Conv2d(1, width, 7), norm(width), nn.ReLU()],
        *[nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), norm(2 * width), nn.ReLU()],
        *[nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), norm(4 * width), nn.ReLU()],
        *[Block(4 * width) for _ in range(BLOCKS)],
        *up(4 * width),
        *up(2 * width),
        *[nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Tanh()],
    )


def discriminator(width: int) -> Published:
    """C64 (no norm), C128, C256, C512 (stride 1), one output."""
    return Published(
        *[nn.Conv2d(1, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)],
        *[nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), norm(2 * width), nn.LeakyReLU(0.2)],
        *[
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1),
            norm(4 * width),
            nn.LeakyReLU(0.2),
        ],
        *[
            nn.Conv2d(4 * width, 8 * width, 4, stride=1, padding=1),
            norm(8 * width),
            nn.LeakyReLU(0.2),
        ],
        nn.Conv2d(8 * width, 1, 4, stride=1, padding=1),
    )


Pair = tuple[Callable[[int], nn.Module], Callable[[int], nn.Module]]
PAIRS: dict[str, Pair] = {
    "generator": (generator, lambda width: Generator(width, BLOCKS)),
    "discriminator": (discriminator, PatchGAN),
}


@pytest.mark.parametrize("name", PAIRS)
def test_published_weights_fit_by_their_names_and_give_the_same_answer(name: str) -> None:
    torch.manual_seed(0)
    published, ours = (make(WIDTH) for make in PAIRS[name])
    for parameter in published.parameters():
        nn.init.normal_(parameter, 0, 0.1)  # biases too: they must go to their places
    weights = {
        key.replace("model.", "layers.").replace("conv_block.", "layers."): value
        for key, value in published.state_dict().items()
    }
    ours.load_state_dict(weights)
    for shape in ((2, 1, 128, 256), (1, 1, 80, 96)):
        mel = torch.rand(shape) * 2 - 1
        with torch.no_grad():
            expected, found = published(mel), ours(mel)
        assert expected.std() > 0.01
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    turned = {key: value.flip(0) for key, value in weights.items()}
    ours.load_state_dict(turned)
    assert not torch.allclose(ours(mel), expected, atol=1e-3), "or any weights would do"


@pytest.mark.parametrize("name", PAIRS)
def test_training_starts_from_the_published_distribution(name: str) -> None:
    """N(0, 0.02) for weights (appendix 7.1 of the paper), 0 for biases."""
    torch.manual_seed(0)
    for key, value in PAIRS[name][1](32).state_dict().items():
        if key.endswith("bias"):
            assert not value.any()
        elif value.numel() > 10_000:
            assert float(value.std()) == pytest.approx(0.02, rel=0.02), key
            assert float(value.mean()) == pytest.approx(0, abs=1e-3), key


def test_published_sizes_are_reached_at_the_published_width() -> None:
    for (published, ours), parameters in zip(PAIRS.values(), (11_365_633, 2_762_689), strict=True):
        for make in (published, ours):
            assert sum(p.numel() for p in make(64).parameters()) == parameters
