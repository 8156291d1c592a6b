"""What each score means: stated here, never inferred from figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Meaning:
    """lower_is_better: its direction. worse: anchors that real music (`floor`) must beat."""

    lower_is_better: bool
    worse: tuple[str, ...]


MEANINGS = {
    "kernel_distance": Meaning(lower_is_better=True, worse=("noise",)),  # deaf to order in time
    "frechet_distance": Meaning(lower_is_better=True, worse=("noise",)),  # the same
    "jury_distance": Meaning(lower_is_better=True, worse=("noise",)),
    "time_distance": Meaning(lower_is_better=True, worse=("shuffled", "noise")),
    "order_auc": Meaning(lower_is_better=True, worse=("shuffled", "noise")),
    "memorisation": Meaning(lower_is_better=False, worse=("copies",)),
}


def judgeable(name: str, score: Mapping[str, Any]) -> bool:
    """Whether a score's anchors lie in the order that its meaning demands.

    If not, the score cannot tell real music from what is surely worse, mostly because there are
    too few tracks: no verdict may be drawn from it ("too little data to judge").
    """
    return not inverted(name, score)


def inverted(name: str, score: Mapping[str, Any]) -> list[str]:
    """The anchors that real music does not beat although it should, of those that are there."""
    meaning = MEANINGS[name]
    sign = 1 if meaning.lower_is_better else -1
    worse = [anchor for anchor in meaning.worse if anchor in score]
    return [anchor for anchor in worse if not sign * score["floor"] < sign * score[anchor]]
