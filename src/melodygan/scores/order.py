"""Are clips ordered in time as real music is? Classifiers that know real order from spoilt order.

A distance between sets averages over what clips contain, and hears their order hardly at all: a
bag of real columns in random order scores like real music. These classifiers are fitted to tell
real training clips from the same clips spoilt, so that order is all they can go by.
"""

import numpy as np
from numpy.typing import NDArray

from melodygan.scores.convolutions import RandomConvolutions, Ridge
from melodygan.scores.damage import backwards, blurred, halves_swapped, shuffled

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

COLUMNS = (8, 32)  # frames; what a VQ-VAE's code spans, and about a beat
BLUR = 2.0  # frames and mel bands, at most
STRENGTHS = 24  # different ones of blur; a third is none


class OrderJudge:
    """One linear classifier for each way of spoiling, on random convolutions.

    The ways: columns of 8 and of 32 frames shuffled, time reversed, halves swapped. All clips are
    blurred at random before, so that a decoder's blur is no sign of disorder: this judge is deaf
    to blur on purpose, and `describe_time` hears it.
    """

    def __init__(self, train: Float, seed: int) -> None:
        """train: real clips (clips, frames, n_mels) of training tracks."""
        rng = np.random.default_rng(seed)
        self.convolutions = RandomConvolutions(train.shape[1], rng)
        spoilt = [
            *(shuffled(train, columns, rng) for columns in COLUMNS),
            backwards(train),
            halves_swapped(train, rng),
        ]
        real = self._describe_blurred(train, rng)
        self.classifiers = [Ridge(real, self._describe_blurred(clips, rng)) for clips in spoilt]

    def logits(self, clips: Float) -> Matrix:
        """How ordered each clip (clips, frames, n_mels) sounds; (clips,), higher is better."""
        features = self.convolutions.describe(clips)
        return np.mean([judge.logits(features) for judge in self.classifiers], axis=0)

    def _describe_blurred(self, clips: Float, rng: np.random.Generator) -> Matrix:
        out = clips.copy()
        parts = np.array_split(rng.permutation(len(clips)), STRENGTHS)
        for part in parts[STRENGTHS // 3 :]:
            frames, bands = rng.uniform(0, BLUR, 2)
            out[part] = blurred(clips[part], frames, bands)
        return self.convolutions.describe(out)
