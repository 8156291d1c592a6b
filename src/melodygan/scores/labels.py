"""Do clips that were asked for by label sound like it?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.scores.bootstrap import covered, track_weights
from melodygan.scores.style import StyleClassifier, cut_clips

Float = NDArray[np.float32]

OVERLAP = 4  # a clip starts every 1 / OVERLAP of its length
CLIPS = 512  # training clips per label, at most


def label_accuracy(
    generated: Mapping[str, Float],
    train: Mapping[str, Sequence[Float]],
    held_out: Mapping[str, Sequence[Float]],
    through: Callable[[Float], Float],
    seed: int = 0,
) -> dict[str, Any]:
    """Share of clips that a classifier of real training clips takes for what they should be.

    generated: clips (n, frames, n_mels) by label; train, held_out: log-mels (frames, n_mels) of
    tracks by label, at least two labels, which weigh equally. through: as in RealSets. `value`,
    and `interval` over the clips (None where a label has a single one); `floor`: of held-out clips;
    `copies`: of those after `through`; `chance`: of an answer that ignores the label.
    """
    frames = next(iter(generated.values())).shape[1]

    def clips(tracks: Mapping[str, Sequence[Float]]) -> dict[str, Float]:
        hop = max(1, frames // OVERLAP)
        return {label: cut_clips(mels, frames, hop, CLIPS) for label, mels in tracks.items()}

    classifier, real = StyleClassifier(clips(train)), clips(held_out)
    right = [classifier.right(of, label) for label, of in generated.items()]
    rng = np.random.default_rng(seed)
    drawn = np.mean([track_weights(len(of), rng) @ of for of in right], axis=0)
    return {
        "value": float(drawn[0]),
        "interval": covered(drawn[1:]) if min(map(len, right)) > 1 else None,
        "floor": classifier.accuracy(real),
        "copies": classifier.accuracy({label: through(of) for label, of in real.items()}),
        "chance": 1 / len(generated),
    }
