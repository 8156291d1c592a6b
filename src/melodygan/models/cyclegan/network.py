"""Generator and discriminator of the paper, for one channel and any width."""

from torch import Tensor, nn


def _norm(channels: int) -> nn.Module:
    # no running statistics: training and use must normalise alike
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)


class ResidualBlock(nn.Module):
    """R-k: two reflection-padded 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            _norm(channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            _norm(channels),
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
                _norm(2 * inputs),
                nn.ReLU(),
            ]

        def up(inputs: int) -> list[nn.Module]:
            return [
                nn.ConvTranspose2d(inputs, inputs // 2, 3, stride=2, padding=1, output_padding=1),
                _norm(inputs // 2),
                nn.ReLU(),
            ]

        self.layers = nn.Sequential(
            *[nn.ReflectionPad2d(3), nn.Conv2d(1, width, 7), _norm(width), nn.ReLU()],
            *down(width),
            *down(2 * width),
            *[ResidualBlock(4 * width) for _ in range(blocks)],
            *up(4 * width),
            *up(2 * width),
            *[nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Tanh()],
        )
        self.apply(_initialise)

    def forward(self, mel: Tensor) -> Tensor:
        """Converted mel."""
        return self.layers(mel)


class Discriminator(nn.Module):
    """C-w (no norm), C-2w, C-4w, C-8w, one output map: each value judges a 70 x 70 patch.

    (batch, 1, n_mels, frames) -> (batch, 1, height, width) of scores, 1 for real.
    """

    def __init__(self, width: int) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
            return [
                nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1),
                _norm(outputs),
                nn.LeakyReLU(0.2),
            ]

        self.layers = nn.Sequential(
            *[nn.Conv2d(1, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)],
            *layer(width, 2 * width, 2),
            *layer(2 * width, 4 * width, 2),
            *layer(4 * width, 8 * width, 1),
            nn.Conv2d(8 * width, 1, 4, padding=1),
        )
        self.apply(_initialise)

    def forward(self, mel: Tensor) -> Tensor:
        """Scores of patches."""
        return self.layers(mel)


def _initialise(module: nn.Module) -> None:
    """N(0, 0.02) weights and zero biases, as in the paper."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
