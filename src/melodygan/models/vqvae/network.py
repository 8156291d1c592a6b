"""Encoder, codebooks, decoder."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.quantiser import Quantiser


class Reconstruction(NamedTuple):
    """mel: normalised log-mel (batch, n_mels, frames); indices, commitment as in Quantised."""

    mel: Tensor
    indices: Tensor
    commitment: Tensor


class Residual(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same."""
        return x + self.layers(x)


class VQVAE(nn.Module):
    """Works on normalised log-mel: (log-mel - mean) / std of the training data.

    Mel patch (batch, n_mels, frames) <-> latents (batch, code_dim, n_mels / s, frames / s) with
    stride s. One convolution, whose windows overlap by half, takes the whole stride at once, and
    one rearrangement of channels (Shi et al. 2016, https://arxiv.org/abs/1609.05158) gives it
    back; all depth lies on the small grid in between. Convolutions at the resolutions in between
    would cost most of the time, and at equal time they measured worse (docs/benchmarks.md).
    """

    def __init__(self, params: VQVAEParams) -> None:
        super().__init__()
        width, stride = params.channels, params.stride
        self.encoder = nn.Sequential(
            nn.Conv2d(1, width, 2 * stride, stride=stride, padding=stride // 2),
            *[Residual(width) for _ in range(params.residual_blocks)],
            nn.ReLU(),
            nn.Conv2d(width, params.code_dim, 1),
        )
        self.quantiser = Quantiser(
            params.codebooks,
            params.codebook_size,
            params.code_dim,
            params.decay,
            params.restart_below,
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(params.code_dim, width, 3, padding=1),
            *[Residual(width) for _ in range(params.residual_blocks)],
            nn.ReLU(),
            nn.Conv2d(width, stride * stride, 3, padding=1),
            nn.PixelShuffle(stride),
        )

    def forward(
        self, mel: Tensor, gather: Callable[[Tensor], Tensor] = lambda own: own
    ) -> Reconstruction:
        """Encode, quantise and decode (batch, n_mels, frames). gather: see `Codebook`."""
        quantised = self.quantiser(self.encode(mel), gather)
        return Reconstruction(self.decode(quantised.codes), quantised.indices, quantised.commitment)

    def encode(self, mel: Tensor) -> Tensor:
        """Latents before quantisation, (batch, code_dim, height, width)."""
        return self.encoder(mel[:, None])

    def decode(self, latents: Tensor) -> Tensor:
        """Mel patch of (quantised) latents, (batch, n_mels, frames)."""
        return self.decoder(latents)[:, 0]
