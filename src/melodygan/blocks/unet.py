"""The encoder-decoder with skips of Isola et al. 2017 (https://arxiv.org/abs/1611.07004)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from melodygan.blocks.patchgan import initialise, instance_norm

DROPPED = 3  # levels of the way up, from the innermost one, that have dropout


class UNet(nn.Module):
    """C-w (no norm), C-2w, C-4w, C-8w, C-8w ... down, the same up, with skips from each level.

    (batch, 1, height, width), both multiples of `multiple` -> the same shape, unbounded. Instance
    norm, since a batch is small. dropout: as in the paper .5 of the innermost levels; 0: none.
    """

    def __init__(self, width: int, levels: int, dropout: float = 0.0) -> None:
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
            dropped = dropout > 0 and not first and level >= levels - DROPPED
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(inner if last else 2 * inner, outer, 4, stride=2, padding=1),
                    *([] if first else [instance_norm(outer)]),
                    *([nn.Dropout(dropout)] if dropped else []),
                )
            )
        self.apply(initialise)

    @property
    def outermost(self) -> nn.ConvTranspose2d:
        """The last layer."""
        layer = self.up[0].get_submodule("1")
        assert isinstance(layer, nn.ConvTranspose2d)
        return layer

    def forward(self, mel: Tensor) -> Tensor:
        """The last layer's answer."""
        skips = [mel]
        for down in self.down:
            skips.append(down(skips[-1]))
        answer = skips.pop()
        for up in reversed(self.up):
            answer = up(answer)
            skip = skips.pop()
            if skips:
                answer = torch.cat([skip, answer], 1)
        return answer


def filled_up(network: Callable[[Tensor], Tensor], mel: Tensor, multiple: int) -> Tensor:
    """What a network for sizes that are multiples makes of any size, (..., height, width).

    The last row and the last column are repeated up to there, and cut off again.
    """
    height, width = mel.shape[2:]
    wider = functional.pad(mel, (0, -width % multiple, 0, -height % multiple), "replicate")
    return network(wider)[:, :, :height, :width]
