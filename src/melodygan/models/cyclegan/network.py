"""The generators: the paper's residual network, a U-Net, and a plain one to compare with.

For one channel and any width. Each can be made `residual`: the network then says what to add to
its input instead of the output, and says 0 at first, so that training starts from a conversion that
changes nothing.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from melodygan.blocks import unet
from melodygan.blocks.patchgan import initialise, instance_norm
from melodygan.blocks.unet import filled_up

UNET_LEVELS = 5  # halvings of both sizes
SPAN = 16  # frames that the fully connected network sees together


class Converter(nn.Module, ABC):
    """(batch, 1, n_mels, frames) in [-1, 1] -> the same shape, of any size.

    multiple: what both sizes must be multiples of inside; the last band and the last frame are
    repeated up to there. residual: the input plus the answer, which is 0 at first, takes the place
    of tanh. The weights have the same names and shapes either way.
    """

    multiple: int

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.residual = residual

    @abstractmethod
    def answer(self, mel: Tensor) -> Tensor:
        """(batch, 1, height, width), both multiples of `multiple` -> the same shape, unbounded."""

    def forward(self, mel: Tensor) -> Tensor:
        """Converted mel."""
        answer = filled_up(self.answer, mel, self.multiple)
        return mel + answer if self.residual else answer.tanh()


class ResidualBlock(nn.Module):
    """R-k: two reflection-padded 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            instance_norm(channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            instance_norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same."""
        return x + self.layers(x)


class Generator(Converter):
    """c7s1-w, d2w, d4w, R4w x blocks, u2w, uw, c7s1-1; then tanh, as in the paper."""

    multiple = 4

    def __init__(self, width: int, blocks: int, residual: bool = False) -> None:
        super().__init__(residual)

        def down(inputs: int) -> list[nn.Module]:
            return [
                nn.Conv2d(inputs, 2 * inputs, 3, stride=2, padding=1),
                instance_norm(2 * inputs),
                nn.ReLU(),
            ]

        def up(inputs: int) -> list[nn.Module]:
            return [
                nn.ConvTranspose2d(inputs, inputs // 2, 3, stride=2, padding=1, output_padding=1),
                instance_norm(inputs // 2),
                nn.ReLU(),
            ]

        last = nn.Conv2d(width, 1, 7)
        self.layers = nn.Sequential(
            *[nn.ReflectionPad2d(3), nn.Conv2d(1, width, 7), instance_norm(width), nn.ReLU()],
            *down(width),
            *down(2 * width),
            *[ResidualBlock(4 * width) for _ in range(blocks)],
            *up(4 * width),
            *up(2 * width),
            *[nn.ReflectionPad2d(3), last],
        )
        self.apply(initialise)
        if residual:
            nn.init.zeros_(last.weight)

    def answer(self, mel: Tensor) -> Tensor:
        """The last layer."""
        return self.layers(mel)


class UNet(Converter):
    """The encoder-decoder with skips."""

    multiple = 2**UNET_LEVELS

    def __init__(self, width: int, residual: bool = False) -> None:
        super().__init__(residual)
        self.layers = unet.UNet(width, UNET_LEVELS)
        if residual:
            nn.init.zeros_(self.layers.outermost.weight)

    def answer(self, mel: Tensor) -> Tensor:
        """The outermost layer."""
        return self.layers(mel)


class Simple(Converter):
    """Three fully connected layers on all bands of SPAN frames, which know nothing of the others.

    The plainest generator there is, with 16 x width units in between: what the others must beat.
    """

    multiple = SPAN

    def __init__(self, width: int, n_mels: int, residual: bool = False) -> None:
        super().__init__(residual)
        ends, units = (n_mels + -n_mels % SPAN) * SPAN, 16 * width
        last = nn.Linear(units, ends)
        self.layers = nn.Sequential(
            *[nn.Linear(ends, units), nn.LeakyReLU(0.2)],
            *[nn.Linear(units, units), nn.LeakyReLU(0.2)],
            last,
        )
        if residual:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def answer(self, mel: Tensor) -> Tensor:
        """Each span by itself."""
        batch, _, height, width = mel.shape
        spans = mel.reshape(batch, height, -1, SPAN).transpose(1, 2)
        answers = self.layers(spans.flatten(2)).reshape(spans.shape)
        return answers.transpose(1, 2).reshape(batch, 1, height, width)
