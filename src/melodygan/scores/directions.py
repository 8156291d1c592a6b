"""What each score means: stated here and nowhere else, never inferred from figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Meaning:
    """title: what the score asks. higher: whether more is better.

    worse: anchors that the best must beat; the first that is there is what needs no model, from
    where the way to the best is measured. best: the anchor at its other end, or None: `ideal`.
    """

    title: str
    higher: bool
    worse: tuple[str, ...]
    best: str | None = None
    ideal: float | None = None

    def end(self, score: Mapping[str, Any]) -> float | None:
        """What the best has, among a score's anchors; None where that is not known."""
        return score.get(self.best, self.ideal) if self.best else self.ideal


_NAIVE = ("untrained", "mean_spectrum", "baseline", "average_mask")
# in the order in which a page shows them; those deaf to order in time have noise as their worst
MEANINGS = {
    "time_distance": Meaning("Does it move as music does?", False, ("shuffled", "noise"), "floor"),
    "order_auc": Meaning(
        "Is it in order, as real clips are?", False, ("shuffled", "noise"), "floor"
    ),
    "kernel_distance": Meaning("Are timbre and level right?", False, ("noise",), "floor"),
    "frechet_distance": Meaning("The same, in means and spreads", False, ("noise",), "floor"),
    "jury_distance": Meaning("And to an independent jury?", False, ("noise",), "floor"),
    "memorisation": Meaning("Is it new, or copied?", True, ("copies",), "floor"),
    "label_distance": Meaning(
        "Is it like music of its label?", False, ("gaussian", "shuffled", "noise"), "floor"
    ),
    "diversity": Meaning(
        "Are clips of a label as varied as real ones?", True, ("alike",), None, 1.0
    ),
    "train_on_generated": Meaning(
        "Can a classifier learn the labels from it?", True, ("chance",), "floor"
    ),
    "label_accuracy": Meaning("Is the wanted label heard?", True, ("chance",), "floor"),
    "style_probability": Meaning(
        "Does it sound like the target?", True, ("identity",), "random_target"
    ),
    "style_blind": Meaning(
        "Does it move like the target, whatever the equaliser?",
        True,
        ("identity",),
        "random_target",
    ),
    "chroma": Meaning("Are the notes still there?", True, ("chance",), "identity"),
    "onset_correlation": Meaning("Are the beats still there?", True, ("chance",), "identity"),
    "tempo_agreement": Meaning("Is the tempo kept?", True, ("chance",), "identity"),
    "shortfall": Meaning("What do style and content miss?", False, ("equaliser",), None, 0.0),
    "shortfall_blind": Meaning(
        "The same, with the style that no equaliser makes", False, ("equaliser",), None, 0.0
    ),
    "shortfall_both": Meaning(
        "The mean of these two, which the verdict rests on", False, ("equaliser",), None, 0.0
    ),
    "log_mel_l1": Meaning("How far is the spectrogram off?", False, _NAIVE, "oracle", 0.0),
    "si_sdr_db": Meaning("How much of the rest is gone?", True, ("average_mask",), "oracle"),
    "log_magnitude_l1": Meaning("How far are fine details off?", False, _NAIVE, "oracle", 0.0),
    "m_stft": Meaning("How far is the sound off?", False, _NAIVE, "oracle", 0.0),
    "heard_m_stft": Meaning("And from what a model made of it?", False, _NAIVE, "oracle", 0.0),
    "reconstruction": Meaning("How far is what it gives back off?", False, ("mean",), None, 0.0),
}


def judgeable(name: str, score: Mapping[str, Any]) -> bool:
    """Whether a score's anchors lie in the order that its meaning demands.

    If not, the score cannot tell real music from what is surely worse, mostly because there are
    too few tracks: no verdict may be drawn from it ("too little data to judge").
    """
    return not inverted(name, score)


def inverted(name: str, score: Mapping[str, Any]) -> list[str]:
    """The anchors that the best does not beat although it should, of those that are there."""
    meaning = MEANINGS[name]
    best = meaning.end(score)
    if best is None:
        return []
    sign = 1 if meaning.higher else -1
    worse = [anchor for anchor in meaning.worse if anchor in score]
    return [anchor for anchor in worse if not sign * best > sign * score[anchor]]
