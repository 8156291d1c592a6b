"""What the codebook alone would make of patches of log-mel, without a network: k-means."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.dataset.feature_set import FeatureSet, Patches
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.quantiser import Quantiser

Float = NDArray[np.float32]

STEPS = 60
DECAY = 0.9  # of the moving averages: the last ten steps count
VECTORS = 8  # of a step, for each code
RESTART_BELOW = 0.125  # of the mean use


class RawCodebooks:
    """The VQ-VAE's quantiser on the patches that its latents stand for, as they are.

    One code for each patch of `stride` mel bins and frames, as in the VQ-VAE, but twice as many
    codebooks: the first half has the VQ-VAE's bit rate, all of them twice as much. Codes are of
    log-mel minus the mean spectrum (n_mels,), and fitted to random patches of training tracks.
    """

    def __init__(
        self, features: FeatureSet, params: VQVAEParams, mean_spectrum: Float, seed: int
    ) -> None:
        self.stride, self.mean = params.stride, mean_spectrum
        self.halves = (params.codebooks, 2 * params.codebooks)
        size = params.codebook_size
        patches = Patches(features.tracks("train"), params.crop)
        of_crop = (params.crop // params.stride) * (len(mean_spectrum) // params.stride)
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            books = 2 * params.codebooks
            quantiser = Quantiser(books, size, params.stride**2, DECAY, RESTART_BELOW).train()
            for _ in range(STEPS):
                quantiser(self._grid(patches.random(-(-VECTORS * size // of_crop), rng)))
        self.quantiser = quantiser.eval()

    @torch.no_grad()
    def errors(self, clips: Float) -> tuple[Float, Float]:
        """Mean absolute error of each of the clips (clips, frames, n_mels), in ln units.

        At the VQ-VAE's bit rate, and at twice as much; (clips,) each.
        """
        rest = self._grid(clips).movedim(1, -1).flatten(0, 2)
        found = []
        for count, book in enumerate(self.quantiser.books, 1):
            rest = rest - book(rest)[0]
            if count in self.halves:
                found.append(rest.abs().reshape(len(clips), -1).mean(1).numpy())
        return found[0], found[1]

    def _grid(self, clips: Float) -> Tensor:
        """(clips, frames, n_mels) -> (clips, stride * stride, n_mels / stride, frames / stride)."""
        image = torch.from_numpy(clips - self.mean).transpose(1, 2)[:, None]
        return torch.nn.functional.pixel_unshuffle(image, self.stride)
