"""What the autoencoder keeps of vectors, beside what needs no training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.dataset.pooled import PooledVectors
from melodygan.models.autoencoder.model import TrainedAutoencoder
from melodygan.models.autoencoder.network import PCA
from melodygan.scores.bootstrap import paired_interval

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]


class Reconstruction:
    """Judges a model by the principal components of the vectors that it was trained with.

    All errors are mean squares of standardised columns.
    """

    def __init__(self, model: TrainedAutoencoder, train: PooledVectors) -> None:
        self.model = model
        self.pca = PCA(self._standardised(train.values), model.params.latent)

    def errors(self, vectors: PooledVectors) -> dict[str, list[float]]:
        """Of each track, by answer: `value` of the model, `pca`, and the training `mean`."""
        true = self._standardised(vectors.values)
        rebuilt = self._standardised(self.model.decode(self.model.encode(vectors.values)))
        answers = {"value": rebuilt, "pca": self.pca.rebuild(true), "mean": np.zeros_like(true)}
        return {
            name: vectors.by_track(np.square(answer - true).mean(1))
            for name, answer in answers.items()
        }

    def score(self, vectors: PooledVectors, seed: int) -> dict[str, Any]:
        """Means of `errors`, each track weighing the same.

        interval: 90 % interval of `value` over tracks, beside `pca` on the same ones.
        """
        errors = self.errors(vectors)
        score: dict[str, Any] = {name: float(np.mean(of)) for name, of in errors.items()}
        return score | {"interval": paired_interval(errors["value"], errors["pca"], seed)}

    def _standardised(self, values: Float) -> Matrix:
        network = self.model.network
        mean, std = (of.cpu().double().numpy() for of in (network.mean, network.std))
        return (values - mean) / std
