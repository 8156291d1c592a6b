"""HiFi-GAN's discriminators: every one hears the sound in another arrangement.

Answers are pairs: scores, and the activations of all layers, the scores among them.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from melodygan.models.vocoder.hifigan.network import SLOPE

Answer = tuple[Tensor, list[Tensor]]
PERIODS = (2, 3, 5, 7, 11)  # samples
SCALES = 3


class Layers(nn.Module):
    """Convolutions and a last one to scores. `convs` and `conv_post` are the published names."""

    def __init__(self, convs: Sequence[nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.convs, self.conv_post = nn.ModuleList(convs), last

    def forward(self, x: Tensor) -> Answer:
        """Scores of any shape, and all activations."""
        maps = []
        for convolution in self.convs:
            x = functional.leaky_relu(convolution(x), SLOPE)
            maps.append(x)
        x = self.conv_post(x)
        return x, [*maps, x]


class PeriodDiscriminator(Layers):
    """Folds (batch, 1, samples) into rows of one period, and looks along the columns."""

    def __init__(self, period: int, width: int) -> None:
        widths = (1, width, 4 * width, 16 * width, 32 * width)
        pairs = pairwise(widths)
        convs = [nn.Conv2d(a, b, (5, 1), (3, 1), padding=(2, 0)) for a, b in pairs]
        convs.append(nn.Conv2d(32 * width, 32 * width, (5, 1), padding=(2, 0)))
        last = nn.Conv2d(32 * width, 1, (3, 1), padding=(1, 0))
        super().__init__([weight_norm(conv) for conv in convs], weight_norm(last))
        self.period = period

    def forward(self, x: Tensor) -> Answer:
        """See `Layers`."""
        missing = -x.shape[-1] % self.period
        x = functional.pad(x, (0, missing), mode="reflect") if missing else x
        return super().forward(x.unflatten(-1, (-1, self.period)))


def scale_discriminator(width: int, norm: Callable[[Any], nn.Module]) -> Layers:
    """One of the multi-scale discriminator, for (batch, 1, samples). width: a multiple of 4."""
    # inputs, outputs, kernel, stride, groups
    table = (
        (1, 4 * width, 15, 1, 1),
        (4 * width, 4 * width, 41, 2, 4),
        (4 * width, 8 * width, 41, 2, 16),
        (8 * width, 16 * width, 41, 4, 16),
        (16 * width, 32 * width, 41, 4, 16),
        (32 * width, 32 * width, 41, 1, 16),
        (32 * width, 32 * width, 5, 1, 1),
    )
    convs = [
        norm(nn.Conv1d(a, b, kernel, stride, padding=kernel // 2, groups=groups))
        for a, b, kernel, stride, groups in table
    ]
    return Layers(convs, norm(nn.Conv1d(32 * width, 1, 3, padding=1)))


class MultiPeriod(nn.Module):
    """One discriminator for each period. width: channels of its first layer; 32 in the paper."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList([PeriodDiscriminator(p, width) for p in PERIODS])

    def forward(self, audio: Tensor) -> list[Answer]:
        """(batch, samples) -> what each of them says."""
        return [judge(audio[:, None]) for judge in self.discriminators]


class MultiScale(nn.Module):
    """Discriminators of the sound, and of it averaged to a half and a quarter of the rate.

    The first is spectrally, the others are weight normalised. width: as in `MultiPeriod`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        norms: tuple[Any, ...] = (spectral_norm, *(weight_norm,) * (SCALES - 1))
        self.discriminators = nn.ModuleList([scale_discriminator(width, n) for n in norms])
        self.meanpools = nn.ModuleList([nn.AvgPool1d(4, 2, padding=2) for _ in range(SCALES - 1)])

    def forward(self, audio: Tensor) -> list[Answer]:
        """(batch, samples) -> what each of them says."""
        x, answers = audio[:, None], []
        for index, judge in enumerate(self.discriminators):
            x = self.meanpools[index - 1](x) if index else x
            answers.append(judge(x))
        return answers
