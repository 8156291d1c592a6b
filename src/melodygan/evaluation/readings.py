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
    "average_mask": "one mask for all music",
    "mix": "the mix",
    "pca": "principal components",
    "mean": "the mean of all",
    "gaussian": "a Gaussian per label",
    "gaussian_levels": "a Gaussian with the label's levels",
    "alike": "one clip again and again",
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
    alone: bool = False  # whether it has no interval because a single track was tested

    @property
    def title(self) -> str:
        """In words; a score that is not known is called by its name."""
        return MEANINGS[self.name].title if self.name in MEANINGS else self.name.replace("_", " ")

    def sentence(self) -> str:
        """What the figure says, as one plain sentence."""
        if self.claim is None:
            beside = (f"{name_of(key)} {number(x, 3)}" for key, x in self.anchors.items())
            return ", ".join([number(self.value, 3), *beside]) + f".{self.note}"
        share = self.claim.reached
        if share is None:
            found = name_of(inverted(self.name, self.anchors)[0])
            return (
                f"Too little data to judge: {found} is no worse than {self.best}. "
                "More test tracks will tell."
            )
        if self.alone:
            return "Too little data to judge: a single test track. More of them will tell."
        if share <= 0:
            said = f"No better than {self.claim.against}"
        elif share >= 1:
            said = f"As good as {self.best}"
        else:
            said = f"{share:.0%} of the way from {self.claim.against} to {self.best}"
        if self.claim.interval and self.claim.unclear and share > 0:
            said += ", but on so few tracks no difference is shown"
        return f"{said}.{self.note}"


def name_of(anchor: str) -> str:
    """An anchor in words."""
    return ANCHORS.get(anchor, anchor.replace("_", " "))


def read_scores(table: Mapping[str, Any]) -> tuple[list[Score], dict[str, Any]]:
    """The scores of a stage's (or a kind's) table in the order of MEANINGS, and its other values.

    A flat `x` beside `baseline_x` (and `x_interval`) is a score too.
    """
    scores: list[Score] = []
    rest: dict[str, Any] = {}
    for path, of in _tables(table):
        if "value" in of:
            scores.append(_score(path, of))
        else:
            rest |= {".".join([*path, key]): value for key, value in of.items()}
    order = list(MEANINGS)
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
        if f"{key}_interval" in flat:
            of["interval"] = flat.pop(f"{key}_interval")
        yield (*path, key), of
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
    if meaning := MEANINGS.get(name):
        worst = next((key for key in meaning.worse if key in anchors), None)
        best = meaning.end(anchors)
        ideal = name_of(meaning.best) if meaning.best in anchors else "perfect"
        if worst and best is not None:
            paired = of.get(f"beside_{worst}")
            claim = Claim(
                name,
                of["value"],
                anchors[worst],
                name_of(worst),
                best,
                meaning.higher,
                interval=paired or interval,
                baseline_interval=None if paired else of.get(f"{worst}_interval"),
                judgeable=not inverted(name, anchors),
            )
    note = ""
    if "accuracy" in of:
        note = f" Its classifier is right about {of['accuracy']:.0%} of real test clips."
    if "copied" in of:
        note = f" {of['copied']:.0%} of the clips are copies."
    return Score(
        ".".join(groups),
        name,
        float(of["value"]),
        interval,
        anchors,
        claim,
        ideal,
        note,
        alone="interval" in of and interval is None,
    )
