"""The generator: a U-Net of as many levels as a patch can be halved, for one channel."""

from torch import Tensor, nn
from torch.nn import functional

from melodygan.blocks.unet import UNet, filled_up

LEVELS = 7  # at most
OPEN = 2.0  # bias of an untrained mask, which lets 88 % pass: training starts near the mix


def levels_of(n_mels: int, frames: int) -> int:
    """How often a patch of this size can be halved, at most seven times."""
    return min(LEVELS, min(n_mels, frames).bit_length() - 1)


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
            nn.init.constant_(self.unet.outermost.get_parameter("bias"), OPEN)

    def forward(self, mix: Tensor) -> Tensor:
        """The stem."""
        answer = filled_up(self.unet, mix, self.unet.multiple)
        if not self.mask:
            return answer.tanh()
        return (mix + self.unit * functional.logsigmoid(answer)).clamp_min(-1)
