"""The scores of one generated set, each beside the anchors that give it meaning."""

import numpy as np
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError
from melodygan.scores.distances import coverage, frechet_distance, kernel_distance, memorisation
from melodygan.scores.embedding import Embedding, describe

Float = NDArray[np.float32]
Scores = dict[str, dict[str, float]]


class RealSets:
    """Real clips to compare with: (clips, frames, n_mels) of training and of held-out tracks.

    The embedding is fitted to the training clips. Distances are to the held-out clips, so that a
    generator that copies the training data scores no better than the floor, which is the training
    data itself. Sets of equal size (at most `count`) are compared, because the Frechet distance
    depends on it. copies: what a generator that repeats its training data would make; cut
    anywhere, not only where `train` was cut. spread: that of the held-out clips.
    """

    def __init__(
        self, train: Float, held_out: Float, copies: Float, seed: int, count: int | None = None
    ) -> None:
        features = describe(train)
        self.embedding = Embedding.fit(features)
        self.train = self.embedding.apply(features)
        rng = np.random.default_rng(seed)
        self.count = min(len(train), len(held_out), len(copies), count or len(train))
        if self.count < 2:
            raise UserError(
                "too few clips for set distances: add training and held-out tracks, or raise "
                "generate.samples in params.yaml"
            )
        chosen = np.sort(rng.permutation(len(held_out))[: self.count])
        self.held_out = self.embedding.apply(describe(held_out[chosen]))
        self.spread = spread(held_out)
        noise = _noise(train, self.count, rng)
        self.anchors = {
            "floor": self.train[rng.permutation(len(train))[: self.count]],
            "copies": self.embedding.apply(describe(copies[: self.count])),
            "noise": self.embedding.apply(describe(noise)),
        }

    def scores(self, generated: Float) -> Scores:
        """Scores of generated clips (clips, frames, n_mels); uses the first `count` of them.

        Each has `value` and three anchors: `floor` (real training clips in the generator's place;
        for memorisation held-out real clips, by definition 1), `copies` (see the class) and
        `noise` (with the training data's mean and spread in each band).
        """
        rows = {"value": self.embedding.apply(describe(generated[: self.count])), **self.anchors}
        result = {
            name: {key: score(clips, self.held_out) for key, clips in rows.items()}
            for name, score in [
                ("frechet_distance", frechet_distance),
                ("kernel_distance", kernel_distance),
                ("coverage", coverage),
            ]
        }
        rows["floor"] = self.held_out
        result["memorisation"] = {
            key: memorisation(clips, self.train, self.held_out) for key, clips in rows.items()
        }
        return result


def spread(clips: Float) -> float:
    """How much clips (clips, frames, n_mels) differ from each other, in ln units; 0: all equal."""
    return float(clips.std(axis=0).mean())


def _noise(train: Float, count: int, rng: np.random.Generator) -> Float:
    """Independent Gaussian log-mel values with each band's mean and spread in the training set."""
    mean, std = train.mean((0, 1)), train.std((0, 1))
    shape = (count, *train.shape[1:])
    noise = rng.standard_normal(shape, np.float32) * std + mean
    return noise.astype(np.float32)
