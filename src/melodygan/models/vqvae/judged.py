"""Real sound as a generator of latents could at best make it, to judge its samples by."""

from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.scores.sets import CLIPS, RealSets


def real_sets(
    features: FeatureSet, vqvae: TrainedVQVAE, held_out: str, seed: int, count: int = CLIPS
) -> RealSets:
    """Real tracks of the training split and of the split `held_out`; at most `count` clips of each.

    What samples went through, and anchors therefore go through too, is the VQ-VAE: the best that
    a generator of latents can do is what the decoder makes of real ones.
    """
    train, other = ([t.mel for t in features.tracks(split)] for split in ("train", held_out))
    return RealSets(train, other, vqvae.params.frames, seed, vqvae.round_trip, count)
