"""Real sound as a generator of latents could at best make it, to judge its samples by."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.scores.labels import label_accuracy
from melodygan.scores.sets import CLIPS, RealSets

Float = NDArray[np.float32]


def real_sets(
    features: FeatureSet,
    vqvae: TrainedVQVAE,
    held_out: str,
    seed: int,
    count: int = CLIPS,
    frames: int | None = None,
) -> RealSets:
    """Real tracks of the training split and of the split `held_out`; at most `count` clips of each.

    frames: of a clip, a multiple of the stride; None stands for the VQ-VAE's `frames`.
    What samples went through, and anchors therefore go through too, is the VQ-VAE: the best that
    a generator of latents can do is what the decoder makes of real ones.
    """
    train, other = ([t.mel for t in features.tracks(split)] for split in ("train", held_out))
    return RealSets(train, other, frames or vqvae.params.frames, seed, vqvae.round_trip, count)


def label_scores(
    clips: Mapping[str, Float], features: FeatureSet, vqvae: TrainedVQVAE, seed: int
) -> dict[str, Any]:
    """Whether clips decoded by the VQ-VAE, by label, sound like theirs (scores/labels.py)."""
    train, test = (
        {label: [track.mel for track in features.tracks(split, label)] for label in clips}
        for split in ("train", "test")
    )
    return label_accuracy(clips, train, test, vqvae.round_trip, seed)
