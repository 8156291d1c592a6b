"""Encoder, codebook, decoder."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.quantiser import Codebook


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
    s = 2 ** downsamplings. The decoder upsamples by nearest neighbour + convolution, which leaves
    no checkerboard (Odena et al. 2016, https://distill.pub/2016/deconv-checkerboard), and makes
    the last factor of four by rearranging channels (Shi et al. 2016,
    https://arxiv.org/abs/1609.05158); the encoder's first layer takes a factor of four too.
    Convolutions at the two finest resolutions would cost three times all the rest together.
    """

    def __init__(self, params: VQVAEParams) -> None:
        super().__init__()
        width, down = params.channels, params.downsamplings
        blocks = [Residual(width) for _ in range(params.residual_blocks)]
        first = [nn.Conv2d(1, width, 8, stride=4, padding=2)]
        further = [
            nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 4, stride=2, padding=1))
            for _ in range(down - 2)
        ]
        self.encoder = nn.Sequential(
            *first, *further, *blocks, nn.ReLU(), nn.Conv2d(width, params.code_dim, 1)
        )
        self.codebook = Codebook(
            params.codebook_size, params.code_dim, params.decay, params.restart_below
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(params.code_dim, width, 3, padding=1),
            *[Residual(width) for _ in range(params.residual_blocks)],
            *[
                nn.Sequential(
                    nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1)
                )
                for _ in range(down - 2)
            ],
            nn.ReLU(),
            nn.Conv2d(width, 16, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def forward(
        self, mel: Tensor, gather: Callable[[Tensor], Tensor] = lambda own: own
    ) -> Reconstruction:
        """Encode, quantise and decode (batch, n_mels, frames). gather: see `Codebook`."""
        latents = self.encode(mel)
        quantised = self.codebook(latents, gather)
        return Reconstruction(self.decode(quantised.codes), quantised.indices, quantised.commitment)

    def encode(self, mel: Tensor) -> Tensor:
        """Latents before quantisation, (batch, code_dim, height, width)."""
        return self.encoder(mel[:, None])

    def decode(self, latents: Tensor) -> Tensor:
        """Mel patch of (quantised) latents, (batch, n_mels, frames)."""
        return self.decoder(latents)[:, 0]
