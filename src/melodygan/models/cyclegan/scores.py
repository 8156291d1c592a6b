"""Scores of conversions on held-out tracks, each beside doing nothing and beside a real target."""

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.layout import to_network
from melodygan.dataset.feature_set import FeatureSet, Patches, Track
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.scores.audio import chroma_cosine
from melodygan.scores.style import StyleClassifier, cut_clips

Float = NDArray[np.float32]

CLIP = 128  # frames of a clip that the classifier judges
HOP = 64
TRAIN_CLIPS = 512  # per label, at most
TRACKS = 8  # held-out tracks per label, at most
SECONDS = 30  # of each, from its start

Scores = dict[str, dict[str, dict[str, float]]]


class ConversionScorer:
    """Converts the held-out tracks of both labels and judges style and content.

    style_probability: how much the conversion sounds like the target label, by a classifier
    trained on real training clips. chroma_cosine: how much of the harmony of the source is kept.
    Each has `value`, `identity` (the unconverted source) and `random_target` (another, real track
    of the target label). Good conversions have the style of random_target and the chroma of
    identity.
    """

    def __init__(
        self, features: FeatureSet, labels: tuple[str, str], split: str, seed: int
    ) -> None:
        self.audio, self.labels = features.audio, labels
        clips = {
            label: Patches(features.tracks("train", label), CLIP).regular(HOP, TRAIN_CLIPS)
            for label in labels
        }
        self.classifier = StyleClassifier(clips)
        frames = round(SECONDS * features.audio.frame_rate)
        self.tracks = {
            label: [_start(track, frames) for track in features.tracks(split, label)[:TRACKS]]
            for label in labels
        }
        self.seed = seed

    def scores(self, model: TrainedCycleGAN) -> Scores:
        """By direction ("swing_to_pop"), then score, then anchor."""
        first, second = self.labels
        return {
            f"{source}_to_{target}": self._direction(model, source, target)
            for source, target in ((first, second), (second, first))
        }

    def _direction(
        self, model: TrainedCycleGAN, source: str, target: str
    ) -> dict[str, dict[str, float]]:
        sources, targets = self.tracks[source], self.tracks[target]
        rng = np.random.default_rng(self.seed)
        candidates = {
            "value": [model.convert(track, source, target) for track in sources],
            "identity": sources,
            "random_target": [targets[i] for i in rng.integers(len(targets), size=len(sources))],
        }
        return {
            "style_probability": {
                name: self.classifier.probability(cut_clips(tracks, CLIP, HOP), target)
                for name, tracks in candidates.items()
            },
            "chroma_cosine": {
                name: float(
                    np.mean([self._chroma(x, y) for x, y in zip(sources, tracks, strict=True)])
                )
                for name, tracks in candidates.items()
            },
        }

    def _chroma(self, source: Float, other: Float) -> float:
        frames = min(len(source), len(other))
        a, b = (to_network(x[:frames]) for x in (source, other))
        return float(chroma_cosine(a, b, self.audio))


def shortfalls(scores: Scores) -> tuple[float, float]:
    """What style probability and chroma cosine together miss of 2, averaged over directions.

    Returns the conversions' and the better one of the two trivial answers': the source itself,
    or another track of the target label.
    """
    missing = {
        anchor: float(
            np.mean([2 - sum(values[anchor] for values in by.values()) for by in scores.values()])
        )
        for anchor in ("value", "identity", "random_target")
    }
    return missing["value"], min(missing["identity"], missing["random_target"])


def _start(track: Track, frames: int) -> Float:
    return np.array(track.mel[:frames])
