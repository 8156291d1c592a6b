"""The generator: a U-Net of as many levels as a patch can be halved, for one channel."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from melodygan.blocks.patchgan import initialise, instance_norm

LEVELS = 7  # at most
DROPPED = 3  # levels of the way up, from the innermost one, that have dropout
OPEN = 2.0  # bias of an untrained mask, which lets 88 % pass: training starts near the mix


def levels_of(n_mels: int, frames: int) -> int:
    """How often a patch of this size can be halved, at most seven times."""
    return min(LEVELS, min(n_mels, frames).bit_length() - 1)


class UNet(nn.Module):
    """C-w (no norm), C-2w, C-4w, C-8w, C-8w ... down, the same up, with skips from each level.

    (batch, 1, n_mels, frames) -> the same shape, without any limit of range. Sizes that cannot be
    halved so often are filled up with their last rows and columns.
    """

    def __init__(self, width: int, levels: int, dropout: float) -> None:
        super().__init__()
        self.multiple = 2**levels
        widths = [1, *(min(2**level, 8) * width for level in range(levels))]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level in range(levels):
            outer, inner = widths[level : level + 2]
            first, last = level == 0, level == levels - 1
            self.down.append(
                nn.Sequential(
                    *([] if first else [nn.LeakyReLU(0.2)]),
                    nn.Conv2d(outer, inner, 4, stride=2, padding=1),
                    *([] if first or last else [instance_norm(inner)]),
                )
            )
            dropped = not first and level >= levels - DROPPED
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(inner if last else 2 * inner, outer, 4, stride=2, padding=1),
                    *([] if first else [instance_norm(outer)]),
                    *([nn.Dropout(dropout)] if dropped else []),
                )
            )
        self.apply(initialise)

    def forward(self, mel: Tensor) -> Tensor:
        """The last layer's answer."""
        height, frames = mel.shape[2:]
        missing = -frames % self.multiple, -height % self.multiple
        skips = [functional.pad(mel, (0, missing[0], 0, missing[1]), "replicate")]
        for down in self.down:
            skips.append(down(skips[-1]))
        answer = skips.pop()
        for up in reversed(self.up):
            answer = up(answer)
            skip = skips.pop()
            if skips:
                answer = torch.cat([skip, answer], 1)
        return answer[:, :, :height, :frames]


class Generator(nn.Module):
    """A U-Net's answer as log-mel, (batch, 1, n_mels, frames) in [-1, 1] -> the same.

    mask: the mix times what of each band passes, between 0 and 1, which in the logarithm is a sum.
    Otherwise tanh of the answer is the log-mel itself, as in the paper. unit: width of an ln unit
    in the scale of input and output.
    """

    def __init__(self, width: int, levels: int, dropout: float, mask: bool, unit: float) -> None:
        super().__init__()
        self.unet, self.mask, self.unit = UNet(width, levels, dropout), mask, unit
        if mask:
            nn.init.constant_(self.unet.up[0].get_parameter("1.bias"), OPEN)

    def forward(self, mix: Tensor) -> Tensor:
        """The stem."""
        answer = self.unet(mix)
        if not self.mask:
            return answer.tanh()
        return (mix + self.unit * functional.logsigmoid(answer)).clamp_min(-1)
