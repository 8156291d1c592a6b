"""The scores of one generated set, each beside the anchors that give it meaning."""

import numpy as np
from numpy.typing import NDArray

from melodygan.scores.distances import coverage, frechet_distance, kernel_distance, memorisation
from melodygan.scores.embedding import Embedding, describe

Float = NDArray[np.float32]
Scores = dict[str, dict[str, float]]


class RealSets:
    """Real clips to compare with: (clips, n_mels, frames) of training and of held-out tracks.

    The embedding is fitted to the training clips. Distances are to the held-out clips, so that a
    generator that copies the training data scores no better than the floor, which is the training
    data itself. Sets of equal size (at most `count`) are compared, because the Frechet distance
    depends on it.
    """

    def __init__(self, train: Float, held_out: Float, seed: int, count: int | None = None) -> None:
        features = describe(train)
        self.embedding = Embedding.fit(features)
        self.train = self.embedding.apply(features)
        rng = np.random.default_rng(seed)
        self.count = min(len(train), len(held_out), count or len(train))
        chosen = np.sort(rng.permutation(len(held_out))[: self.count])
        self.held_out = self.embedding.apply(describe(held_out[chosen]))
        self.floor = self.train[rng.permutation(len(train))[: self.count]]
        self.noise = self.embedding.apply(describe(_noise(train, self.count, rng)))

    def scores(self, generated: Float) -> Scores:
        """Scores of generated clips (clips, n_mels, frames); uses the first `count` of them.

        Each has `value`, `floor` (real training clips in the generator's place; for memorisation
        held-out real clips) and `noise` (coloured noise with the training data's mean spectrum).
        `memorisation` also has `copies`: what a generator that copies the training data gets.
        """
        value = self.embedding.apply(describe(generated[: self.count]))
        result = {
            name: {key: score(clips, self.held_out) for key, clips in self._rows(value)}
            for name, score in [
                ("frechet_distance", frechet_distance),
                ("kernel_distance", kernel_distance),
                ("coverage", coverage),
            ]
        }
        result["memorisation"] = {
            "value": memorisation(value, self.train, self.held_out),
            "floor": 1.0,
            "noise": memorisation(self.noise, self.train, self.held_out),
            "copies": memorisation(self.floor, self.train, self.held_out),
        }
        return result

    def _rows(self, value: NDArray[np.float64]) -> list[tuple[str, NDArray[np.float64]]]:
        return [("value", value), ("floor", self.floor), ("noise", self.noise)]


def _noise(train: Float, count: int, rng: np.random.Generator) -> Float:
    """Independent Gaussian log-mel values with each band's mean and spread in the training set."""
    mean, std = train.mean((0, 2)), train.std((0, 2))
    shape = (count, *train.shape[1:])
    noise = rng.standard_normal(shape, np.float32) * std[:, None] + mean[:, None]
    return noise.astype(np.float32)
