"""The generator of the paper, for one channel and any width."""

from torch import Tensor, nn

from melodygan.blocks.patchgan import initialise, instance_norm


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


class Generator(nn.Module):
    """c7s1-w, d2w, d4w, R4w x blocks, u2w, uw, c7s1-1 with tanh.

    (batch, 1, n_mels, frames) in [-1, 1] -> the same shape; both sizes multiples of 4.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()

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

        self.layers = nn.Sequential(
            *[nn.ReflectionPad2d(3), nn.Conv2d(1, width, 7), instance_norm(width), nn.ReLU()],
            *down(width),
            *down(2 * width),
            *[ResidualBlock(4 * width) for _ in range(blocks)],
            *up(4 * width),
            *up(2 * width),
            *[nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Tanh()],
        )
        self.apply(initialise)

    def forward(self, mel: Tensor) -> Tensor:
        """Converted mel."""
        return self.layers(mel)
