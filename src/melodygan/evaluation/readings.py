"""How a score is read: what it says in plain words, and between what it stands.

Scores of any stage, also of models that this file does not know, are found by their form: a table
with `value` and anchors. What is not known here is shown without a judgement.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from melodygan.page.markup import number
from melodygan.scores.directions import MEANINGS, inverted
from melodygan.training.verdict import Claim, Interval

ANCHORS = {
    "floor": "real music",
    "copies": "copies of the training data",
    "shuffled": "shuffled real columns",
    "noise": "noise",
    "identity": "the source itself",
    "chance": "chance",
    "random_target": "real target tracks",
    "equaliser": "an equaliser",
    "transport": "optimal transport",
    "untrained": "without the network",
    "oracle": "true magnitude",
    "griffin_lim_32": "Griffin-Lim",
    "mean_spectrum": "the mean spectrum",
    "baseline": "the baseline",
    "separator": "the separation model",
    "pca": "principal components",
    "mean": "the mean of all",
    "gaussian": "a Gaussian per label",
}


@dataclass(frozen=True)
class Reading:
    """What a score asks (`title`), and whether `higher` is better.

    worst, best: keys of anchors, of which the first that is there counts; best may be a value too,
    for scores whose ideal is known.
    """

    title: str
    higher: bool
    worst: tuple[str, ...]
    best: tuple[str, ...] = ()
    ideal: float | None = None


_NAIVE = ("untrained", "mean_spectrum", "baseline", "separator")
READINGS = {
    "time_distance": Reading("Does it move as music does?", False, ("shuffled",), ("floor",)),
    "order_auc": Reading("Is it in order, as real clips are?", False, ("shuffled",), ("floor",)),
    "kernel_distance": Reading("Are timbre and level right?", False, ("noise",), ("floor",)),
    "frechet_distance": Reading("The same, in means and spreads", False, ("noise",), ("floor",)),
    "jury_distance": Reading("And to an independent jury?", False, ("noise",), ("floor",)),
    "memorisation": Reading("Is it new, or copied?", True, ("copies",), ("floor",)),
    "label_accuracy": Reading("Is the wanted label heard?", True, ("chance", "noise"), ("floor",)),
    "style_probability": Reading(
        "Does it sound like the target?", True, ("identity",), ("random_target",)
    ),
    "style_blind": Reading(
        "Does it move like the target, whatever the equaliser?",
        True,
        ("identity",),
        ("random_target",),
    ),
    "chroma": Reading("Are the notes still there?", True, ("chance",), ("identity",)),
    "onset_correlation": Reading("Are the beats still there?", True, ("chance",), ("identity",)),
    "tempo_agreement": Reading("Is the tempo kept?", True, ("chance",), ("identity",)),
    "shortfall": Reading("What do style and content miss?", False, ("equaliser",), (), 0.0),
    "shortfall_blind": Reading(
        "The same, with the style that no equaliser makes", False, ("equaliser",), (), 0.0
    ),
    "shortfall_both": Reading(
        "The mean of these two, which the verdict rests on", False, ("equaliser",), (), 0.0
    ),
    "log_mel_l1": Reading("How far is the spectrogram off?", False, _NAIVE, ("oracle",), 0.0),
    "log_magnitude_l1": Reading("How far are fine details off?", False, _NAIVE, ("oracle",), 0.0),
    "m_stft": Reading("How far is the sound off?", False, _NAIVE, ("oracle",), 0.0),
    "reconstruction": Reading("How far is what it gives back off?", False, ("mean",), (), 0.0),
}


@dataclass(frozen=True)
class Score:
    """One score. group: where it stands, such as "pop_to_swing"; anchors: all by their keys."""

    group: str
    name: str
    value: float
    interval: Interval | None
    anchors: Mapping[str, float]
    claim: Claim | None  # None: nothing known to stand between
    best: str = ""  # what the claim's ideal is the score of
    note: str = ""  # what else to know of the figure

    @property
    def title(self) -> str:
        """In words; a score that is not known is called by its name."""
        return READINGS[self.name].title if self.name in READINGS else self.name.replace("_", " ")

    @property
    def _inverted(self) -> str:
        """What the best does not beat although it should, in words."""
        found = _inverted(self.name, self.anchors)
        against = self.claim.against if self.claim else ""
        return name_of(found[0]) if found else against

    def sentence(self) -> str:
        """What the figure says, as one plain sentence."""
        if self.claim is None:
            beside = (f"{name_of(key)} {number(x, 3)}" for key, x in self.anchors.items())
            return ", ".join([number(self.value, 3), *beside]) + f".{self.note}"
        share = self.claim.reached
        if share is None:
            return (
                f"Too little data to judge: {self._inverted} is no worse than {self.best}. "
                "More test tracks will tell."
            )
        if share <= 0:
            said = f"No better than {self.claim.against}"
        elif share >= 1:
            said = f"As good as {self.best}"
        else:
            said = f"{share:.0%} of the way from {self.claim.against} to {self.best}"
        if self.claim.unclear and share > 0:
            said += ", but on so few tracks no difference is shown"
        return f"{said}.{self.note}"


def name_of(anchor: str) -> str:
    """An anchor in words."""
    return ANCHORS.get(anchor, anchor.replace("_", " "))


def _inverted(name: str, anchors: Mapping[str, float]) -> list[str]:
    return inverted(name, anchors) if name in MEANINGS and "floor" in anchors else []


def read_scores(table: Mapping[str, Any]) -> tuple[list[Score], dict[str, Any]]:
    """The scores of a stage's (or a kind's) table in the order of READINGS, and its other values.

    A flat `x` beside `baseline_x` (and `x_interval`) is a score too.
    """
    scores: list[Score] = []
    rest: dict[str, Any] = {}
    for path, of in _tables(table):
        if "value" in of:
            scores.append(_score(path, of))
        else:
            rest |= {".".join([*path, key]): value for key, value in of.items()}
    order = list(READINGS)
    scores.sort(
        key=lambda s: (s.group, order.index(s.name) if s.name in order else len(order), s.name)
    )
    return scores, rest


def _tables(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Each table that holds values itself, with the keys that lead to it."""
    flat = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if "value" in flat:
        yield path, flat
        return
    pairs = [key for key in flat if f"baseline_{key}" in flat]
    for key in pairs:
        of = {"value": flat.pop(key), "baseline": flat.pop(f"baseline_{key}")}
        yield (*path, key), of | {"interval": flat.pop(f"{key}_interval", None)}
    if flat:
        yield path, flat
    for key, inner in table.items():
        if isinstance(inner, Mapping):
            yield from _tables(inner, (*path, key))


def _score(path: tuple[str, ...], of: Mapping[str, Any]) -> Score:
    *groups, name = path
    anchors = {
        key: float(x)
        for key, x in of.items()
        if key in ANCHORS or (isinstance(x, float) and key not in ("value", "accuracy", "copied"))
    }
    interval = tuple(of["interval"]) if of.get("interval") else None
    claim, ideal = None, ""
    if reading := READINGS.get(name):
        worst = next((key for key in reading.worst if key in anchors), None)
        goal = next((key for key in reading.best if key in anchors), "")
        best = anchors.get(goal, reading.ideal)
        ideal = name_of(goal) if goal else "perfect"
        if worst and best is not None:
            claim = Claim(
                name,
                of["value"],
                anchors[worst],
                name_of(worst),
                best,
                reading.higher,
                interval,
                of.get(f"{worst}_interval"),
                judgeable=not _inverted(name, anchors),
            )
    note = ""
    if "accuracy" in of:
        note = f" Its classifier is right about {of['accuracy']:.0%} of real test clips."
    if "copied" in of:
        note = f" {of['copied']:.0%} of the clips are copies."
    return Score(".".join(groups), name, float(of["value"]), interval, anchors, claim, ideal, note)
