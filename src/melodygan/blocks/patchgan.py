"""The discriminator of pix2pix and CycleGAN, which judges patches instead of whole images.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks"
(https://arxiv.org/abs/1611.07004), with a width parameter (64 in the paper).
"""

from torch import Tensor, nn
from torch.nn.utils import parametrizations


def instance_norm(channels: int) -> nn.Module:
    """Instance normalisation as both papers use it."""
    # no running statistics: training and use must normalise alike
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)


def initialise(module: nn.Module) -> None:
    """N(0, 0.02) weights and zero biases, as in both papers."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class PatchGAN(nn.Module):
    """C-w (no norm), C-2w, C-4w, C-8w, one output map: each value judges a 70 x 70 patch.

    (batch, channels, n_mels, frames) -> (batch, 1, height, width) of scores, 1 for real.
    spectral_norm: of all weights, in the place of instance norm (Miyato et al. 2018, arXiv
    1802.05957).
    """

    def __init__(self, width: int, channels: int = 1, spectral_norm: bool = False) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
            return [
                nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1),
                nn.Identity() if spectral_norm else instance_norm(outputs),
                nn.LeakyReLU(0.2),
            ]

        self.layers = nn.Sequential(
            *[nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)],
            *layer(width, 2 * width, 2),
            *layer(2 * width, 4 * width, 2),
            *layer(4 * width, 8 * width, 1),
            nn.Conv2d(8 * width, 1, 4, padding=1),
        )
        self.apply(initialise)
        for module in self.layers if spectral_norm else ():
            if isinstance(module, nn.Conv2d):
                parametrizations.spectral_norm(module)

    def forward(self, mel: Tensor) -> Tensor:
        """Scores of patches."""
        return self.layers(mel)
