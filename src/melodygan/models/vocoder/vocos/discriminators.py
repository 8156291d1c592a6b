"""Discriminators of magnitudes at several resolutions, as in UnivNet (Jang et al. 2021).

https://arxiv.org/abs/2106.07889
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

WINDOWS = (2048, 1024, 512)  # samples; the hop is a quarter
SLOPE = 0.1  # of leaky ReLUs


class ResolutionDiscriminator(nn.Module):
    """Convolutions over the linear magnitude of one transform. width: 32 in the paper."""

    def __init__(self, window: int, width: int) -> None:
        super().__init__()
        self.window = window
        first = nn.Conv2d(1, width, (3, 9), padding=(1, 4))
        strided = [nn.Conv2d(width, width, (3, 9), (1, 2), padding=(1, 4)) for _ in range(3)]
        square = nn.Conv2d(width, width, 3, padding=1)
        self.convs = nn.ModuleList([weight_norm(c) for c in (first, *strided, square)])
        self.last = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(batch, samples) -> scores and all activations, the scores last."""
        with torch.autocast(audio.device.type, enabled=False):
            spec = torch.stft(
                audio.float(),
                self.window,
                self.window // 4,
                window=torch.hann_window(self.window, device=audio.device),
                return_complex=True,
            )
            x = spec.abs()[:, None].mT  # frames, then bins, along which it strides
        maps = []
        for convolution in self.convs:
            x = leaky_relu(convolution(x), SLOPE)
            maps.append(x)
        x = self.last(x)
        return x, [*maps, x]


class MultiResolution(nn.Module):
    """One for each window."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList([ResolutionDiscriminator(w, width) for w in WINDOWS])

    def forward(self, audio: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """(batch, samples) -> what each of them says."""
        return [judge(audio) for judge in self.discriminators]
