"""Random convolutions of band energies, and linear classifiers on them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from melodygan.scores.embedding import BANDS, band_energies

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

KERNELS = 256
TAPS = 7
RIDGE = 0.3  # of the number of clips: features are many, and strongly correlated
LEAST = 0.05  # ln units; what varies less than this is held to be steady
PART = 64  # clips at a time


class RandomConvolutions:
    """ROCKET (Dempster et al. 2020, https://arxiv.org/abs/1910.13051) on 16 bands of log-mel.

    Many dilated kernels, drawn once and never trained, each reduced to a few statistics over
    time: what a linear classifier needs to hear rhythm, attack and decay. Level and timbre are
    taken off before (the time mean of each band, and the whole clip's spread).
    """

    def __init__(self, frames: int, rng: np.random.Generator) -> None:
        largest = max(1, (frames - 1) // (2 * (TAPS - 1)))  # spans half a clip at most
        dilations = [2**power for power in range(6) if 2**power <= largest]
        chosen: dict[int, list[Matrix]] = {dilation: [] for dilation in dilations}
        for index in range(KERNELS):
            kernel = rng.standard_normal((BANDS, TAPS))
            kernel -= kernel.mean(1, keepdims=True)
            used = rng.random(BANDS) < rng.choice([0.1, 0.25, 0.6])
            used[rng.integers(BANDS)] = True
            kernel *= used[:, None]
            chosen[dilations[index % len(dilations)]].append(kernel / np.linalg.norm(kernel))
        self.kernels = {
            dilation: torch.from_numpy(np.stack(kernels).astype(np.float32))
            for dilation, kernels in chosen.items()
        }

    def describe(self, clips: Float) -> Matrix:
        """(clips, frames, n_mels) -> (clips, features).

        Per kernel: mean of the positive part, root mean square, cube root of the third moment;
        the last tells attack from decay, and so forwards from backwards.
        """
        parts = [self._moments(clips[i : i + PART]) for i in range(0, len(clips), PART)]
        return np.concatenate(parts)

    def _moments(self, clips: Float) -> Matrix:
        bands = band_energies(clips)
        bands = bands - bands.mean(1, keepdims=True)
        bands = bands / (bands.std((1, 2), keepdims=True) + LEAST)
        missing = BANDS - bands.shape[2]  # of a mel with fewer bands than that
        bands = np.pad(bands, ((0, 0), (0, 0), (0, missing)))
        x = torch.from_numpy(bands.transpose(0, 2, 1).astype(np.float32))
        rows: list[Tensor] = []
        for dilation, kernels in self.kernels.items():
            y = functional.conv1d(x, kernels, dilation=dilation)
            cube = (y**3).mean(2)
            root = cube.sign() * cube.abs() ** (1 / 3)
            rows += [y.relu().mean(2), y.square().mean(2).sqrt(), root]
        return torch.cat(rows, 1).double().numpy()


class Ridge:
    """Ridge regression of +1 for `one` and -1 for `other`: a classifier with one solution.

    one, other: features (clips, features), standardised by both together.
    """

    def __init__(self, one: Matrix, other: Matrix) -> None:
        x = np.concatenate([one, other])
        self.mean, self.scale = x.mean(0), x.std(0) + 1e-6
        x = (x - self.mean) / self.scale
        y = np.repeat([1.0, -1.0], [len(one), len(other)])
        self.bias = y.mean()
        gram = x.T @ x + RIDGE * len(x) * np.eye(x.shape[1])
        self.weights = np.linalg.solve(gram, x.T @ (y - self.bias))

    def logits(self, features: Matrix) -> Matrix:
        """(clips, features) -> (clips,); positive for `one`."""
        return (features - self.mean) / self.scale @ self.weights + self.bias
