"""Scores of invented pooled vectors, each beside the anchors that give it meaning."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.dataset.pooled import PooledVectors
from melodygan.scores import distances
from melodygan.scores.bootstrap import Interval, covered, paired_interval, track_weights
from melodygan.scores.embedding import Embedding
from melodygan.scores.intervals import Compare, draws, interval_of
from melodygan.scores.rows import Rows
from melodygan.scores.style import StyleClassifier

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]
Scores = dict[str, dict[str, Any]]

HELD_OUT = 256  # vectors that invented ones are compared with, at most
TRAIN = 4096  # training vectors among which a copied one is looked for, at most
EXAMPLES = 1024  # of each label that a classifier learns from, at most


class VectorEmbedding:
    """The space in which vectors are compared: few components, and how much lies beside them.

    Whitened principal components of training vectors do not see what makes noise noise: most of it
    lies beside them. The logarithm of that rest (Jackson and Mudholkar 1979,
    https://doi.org/10.1080/00401706.1979.10489779) is one more column, of unit variance.
    """

    def __init__(self, vectors: Float, components: int) -> None:
        real = vectors.astype(np.float64)
        self.mean, self.std = real.mean(0), real.std(0) + 1e-6
        self.components = Embedding.whitened(real, components)
        rows = (real - self.mean) / self.std
        self.axes = np.linalg.svd(rows, full_matrices=False)[2][:components]
        rest = self._rest(real)
        self.usual, self.spread = rest.mean(), rest.std() + 1e-6

    def apply(self, vectors: Float) -> Matrix:
        """(rows, columns) -> (rows, components + 1)."""
        values = vectors.astype(np.float64)
        rest = (self._rest(values) - self.usual) / self.spread
        return np.column_stack([self.components.apply(values), rest])

    def _rest(self, values: Matrix) -> Matrix:
        rows = (values - self.mean) / self.std
        beside = rows - rows @ self.axes.T @ self.axes
        return 0.5 * np.log(np.square(beside).sum(1) + 1e-6)


class VectorScores:
    """Real tracks to compare invented vectors with.

    train, held_out: their vectors. through: (rows, columns) -> the same: what the autoencoder
    leaves of vectors. gaussian: labels (count,) and a seed -> vectors, from a Gaussian for each.
    latent: how many numbers that keeps; a quarter of it are the components that are compared, so
    that a rest is left beside them. places: the labels that a judged set is to have.
    """

    def __init__(
        self,
        train: PooledVectors,
        held_out: PooledVectors,
        through: Callable[[Float], Float],
        gaussian: Callable[[Indices, int], Float],
        latent: int,
        seed: int,
    ) -> None:
        self.train, self.held_out = train.thinned(TRAIN), held_out.thinned(HELD_OUT)
        self.seed, self._through, self._gaussian = seed, through, gaussian
        self.embedding = VectorEmbedding(self.train.values, max(1, latent // 4))
        self.reference = self._rows(self.held_out.values, self.held_out.track)
        known = np.unique(train.label)
        self.places = known[np.arange(len(self.held_out.values)) % len(known)]

    def distance(self, vectors: Float) -> float:
        """Kernel distance alone, for validation while a model trains."""
        ones = np.ones((1, len(vectors))), np.ones((1, self.reference.tracks))
        return float(distances.kernel_distance(self._rows(vectors), self.reference, *ones)[0])

    def scores(self, vectors: Float) -> Scores:
        """Scores of invented vectors (count, columns) of the labels `places`.

        Each has `value` and anchors, sets in the invented one's place: `floor` (training vectors;
        for the last three scores held-out ones), `copies` (training vectors through the
        autoencoder), `gaussian` (a Gaussian for each label: no GAN) and `noise` (each column by
        itself as in the training vectors). kernel_distance, frechet_distance: to held-out vectors,
        with intervals over tracks; `paired` is that of the difference from `gaussian`, moved to it.
        memorisation: as in scores/sets.py. diversity: spread within a label, as a share of the
        training vectors'. label_accuracy: as in scores/labels.py, where there are labels.
        """
        made = {"value": vectors} | self.anchors
        result: Scores = {
            "kernel_distance": self._compared(distances.kernel_distance, made),
            "frechet_distance": self._compared(distances.frechet_distance, made),
            "memorisation": self._memory(made),
            "diversity": {name: self._spread(of, self.places) for name, of in made.items()},
        }
        result["diversity"]["floor"] = self._spread(self.held_out.values, self.held_out.label)
        if len(np.unique(self.places)) > 1:
            classifier = StyleClassifier(_by_label(self.train.values, self.train.label), _plain)
            of = {name: _by_label(v, self.places) for name, v in made.items() if name != "noise"}
            of["floor"] = _by_label(self.held_out.values, self.held_out.label)
            result["label_accuracy"] = {name: classifier.accuracy(v) for name, v in of.items()}
            result["label_accuracy"]["noise"] = 1 / len(np.unique(self.places))
        return result

    @cached_property
    def anchors(self) -> dict[str, Float]:
        """Sets in the invented one's place."""
        real = self.train.values[self._chosen]
        mean, spread = self.train.values.mean(0), self.train.values.std(0)
        rng = np.random.default_rng(self.seed)
        return {
            "floor": real,
            "copies": self._through(real),
            "gaussian": self._gaussian(self.places, self.seed),
            "noise": rng.standard_normal(real.shape, np.float32) * spread + mean,
        }

    @cached_property
    def _chosen(self) -> Indices:
        """Training rows, as many of each label as `places` asks for."""
        rng = np.random.default_rng(self.seed)
        return np.array([rng.choice(np.flatnonzero(self.train.label == n)) for n in self.places])

    def _compared(self, compare: Compare, made: dict[str, Float]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, vectors in made.items():
            track = self.train.track[self._chosen] if name == "floor" else None
            drawn = draws(compare, self._rows(vectors, track), self.reference, self.seed)
            result[name] = float(drawn[0])
            key = "interval" if name == "value" else f"{name}_interval"
            result[key] = interval_of(drawn) if self.reference.tracks > 1 else None
        result["paired"] = self._paired(compare, made["value"], made["gaussian"])
        return result

    def _paired(self, compare: Compare, one: Float, other: Float) -> Interval:
        """Where `one` may lie beside the score of `other`, by the same weights of held-out tracks.

        The vectors of both are drawn too: other noise would have given other ones.
        """
        tracks, rng = self.reference.tracks, np.random.default_rng(self.seed)
        if tracks < 2:
            return None
        shared = track_weights(tracks, rng) * tracks
        a, b = (
            compare(self._rows(of), self.reference, track_weights(len(of), rng) * len(of), shared)
            for of in (one, other)
        )
        between = (a - b)[1:]
        return [float(a[0] + edge - np.median(between)) for edge in covered(between)]

    def _memory(self, made: dict[str, Float]) -> dict[str, float]:
        """All through the autoencoder, as an invented vector is."""
        known = self.embedding.apply(self._through(self.train.values))
        held_out = self.embedding.apply(self._through(self.held_out.values))
        usual = float(np.median(distances.nearest(held_out, known)))
        near = {
            name: distances.nearest(self.embedding.apply(of), known) for name, of in made.items()
        }
        result = {name: float(np.median(of)) / usual for name, of in near.items()}
        return result | {"floor": 1.0, "copied": float((near["value"] < 0.5 * usual).mean())}

    def _spread(self, vectors: Float, label: Indices) -> float:
        """Mean spread of columns within a label, as a share of that of training vectors."""
        of = [
            np.mean([v.std(0) / self.embedding.std for v in _by_label(*each).values()])
            for each in ((vectors, label), (self.train.values, self.train.label))
        ]
        return float(of[0] / of[1])

    def _rows(self, vectors: Float, track: Indices | None = None) -> Rows:
        track = np.arange(len(vectors)) if track is None else track
        return Rows(self.embedding.apply(vectors), np.unique(track, return_inverse=True)[1])


def augmentation(
    train: PooledVectors, held_out: PooledVectors, made: Mapping[str, PooledVectors], seed: int
) -> Scores:
    """What a classifier gains on held-out tracks if it learns from invented vectors too.

    made: invented vectors by where they come from, `value` among them. `probability`: that the
    classifier gives the right label, `accuracy`: how often it is the likeliest; means over held-out
    tracks, each beside `real_only`. interval: over tracks, beside `real_only` on the same ones.
    """
    sets = {"real_only": [train]} | {name: [train, more] for name, more in made.items()}
    rows: dict[str, dict[str, list[float]]] = {"probability": {}, "accuracy": {}}
    for name, parts in sets.items():
        of: dict[str, Float] = {}
        for part in parts:
            for label, vectors in _by_label(part.values, part.label).items():
                some = vectors[np.linspace(0, len(vectors) - 1, EXAMPLES).round().astype(int)]
                of[label] = np.concatenate([of[label], some]) if label in of else some
        classifier = StyleClassifier(of, _plain)
        rows["probability"][name], rows["accuracy"][name] = [], []
        for track in range(held_out.tracks):
            mine = held_out.track == track
            vectors, label = held_out.values[mine], str(held_out.label[mine][0])
            rows["probability"][name].append(classifier.probability(vectors, label))
            rows["accuracy"][name].append(classifier.accuracy({label: vectors}))
    result: Scores = {}
    for score, values in rows.items():
        result[f"augmentation_{score}"] = {n: float(np.mean(of)) for n, of in values.items()} | {
            "interval": paired_interval(values["value"], values["real_only"], seed)
        }
    return result


def _by_label(vectors: Float, label: Indices) -> dict[str, Float]:
    return {str(index): vectors[label == index] for index in np.unique(label)}


def _plain(vectors: Float) -> Matrix:
    """What a classifier hears in vectors: all of them."""
    return vectors.astype(np.float64)
