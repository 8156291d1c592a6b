"""The last line of a training stage: does it work, and what to try next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Interval = Sequence[float]  # low and high

WORKS = 0.5  # of the way
STANDSTILL = 0.05  # of the way: so little that the model may have learnt nothing


def differ(one: Interval | None, other: Interval | None) -> bool:
    """Whether two scores are shown to differ: their intervals do not overlap.

    False means "no difference shown", never "equal". An unknown interval shows nothing. Where both
    scores are of the same tracks, the one's interval is that of their difference, moved to the
    other's value (`paired_interval`), and the other a point.
    """
    return one is not None and other is not None and bool(one[1] < other[0] or other[1] < one[0])


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    steps: that were run. best_step: after which the best weights came. best_score: theirs.
    reason: why it ended before its last step, or "". validations: how many there were. improving:
    whether the best of several validations came in the last fifth of the steps. warnings: of
    the task's limits.
    """

    steps: int
    best_step: int
    best_score: float | None
    reason: str
    validations: int
    improving: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """What a verdict rests on: one held-out score between what needs no learning and the best.

    score: its name. against: what `baseline` is the score of, in a few words. ideal: what the best
    possible model would have. higher: whether more is better. interval: of the value over the
    choice of test tracks; None where a single one was tested, which shows nothing of it.
    baseline_interval: of the baseline; None for a point, which it is in a paired comparison.
    judgeable: False where the score is known not to tell the best from what is surely worse,
    whatever this baseline is.
    """

    score: str
    value: float
    baseline: float
    against: str
    ideal: float = 0.0
    higher: bool = False
    interval: Interval | None = field(kw_only=True)
    baseline_interval: Interval | None = None
    judgeable: bool = True

    @classmethod
    def paired(cls, score: str, scores: Mapping[str, Any], against: str) -> "Claim":
        """Of what `paired_score` gave: lower is better, and 0 is perfect."""
        value, baseline = scores[score], scores[f"baseline_{score}"]
        return cls(score, value, baseline, against, interval=scores[f"{score}_interval"])

    @property
    def reached(self) -> float | None:
        """Share of the way from baseline to ideal; None where the ideal is not the better one.

        None, too, where the score is not judgeable: there is then too little data.
        """
        span = (self.ideal - self.baseline) * (1 if self.higher else -1)
        if span <= 0 or not self.judgeable:
            return None
        return (self.value - self.baseline) / (self.ideal - self.baseline)

    @property
    def unclear(self) -> bool:
        """Whether no difference from the baseline is shown."""
        return not differ(self.interval, self.baseline_interval or (self.baseline, self.baseline))

    @property
    def refuted(self) -> bool:
        """Whether there is data to judge by, and it shows no gain over the baseline."""
        return self._judged is not None and (self.unclear or self._judged <= 0)

    @property
    def _judged(self) -> float | None:
        return self.reached if self.interval is not None else None

    def words(self) -> str:
        """The score, its interval, baseline and ideal, and what they come to."""
        said = f"{self.score} {self.value:.4g}"
        if self.interval:
            said += " [{:.4g} to {:.4g}]".format(*self.interval)
        return f"{said} (baseline {self.baseline:.4g}, ideal {self.ideal:.4g}): {self._meaning()}"

    def _meaning(self) -> str:
        if self._judged is None:
            return "too little data to judge"
        way = f"{max(0.0, self._judged):.0%} of the way"
        if self.refuted:
            word = "no difference shown from" if self.unclear else "no better than"
            return f"{word} {self.against}, {way}"
        if self._judged < WORKS:
            return f"weak, but better than {self.against}, {way}"
        return f"works, {way} from {self.against}"


def verdict(
    stage: str,
    outcome: Outcome,
    claim: Claim,
    besides: Sequence[Claim] = (),
    settings: str = "",
) -> str:
    """One line: the held-out score, its baseline, what that means, and the next thing to try.

    besides: what must hold too; where one of these is refuted the stage is not said to work.
    settings: the group of params.yaml that advice is about, if it is not the stage's.
    """
    said = f"{stage}: {claim.words()}"
    reached = claim.reached
    if reached is None or claim.interval is None:
        return f"{said}; next: more test tracks"
    if against := [f"{other.against} by {other.score}" for other in besides if other.refuted]:
        said = f"{said.partition('): ')[0]}): no better than {' and '.join(against)}"
        reached = 0.0
    return f"{said}; next: {_advice(settings or stage, outcome, claim, reached)}"


def _advice(group: str, outcome: Outcome, claim: Claim, reached: float) -> str:
    if outcome.warnings:
        return outcome.warnings[-1]
    if outcome.reason.startswith("max_minutes"):
        return f"raise {group}.max_minutes, the run was cut short"
    if claim.unclear and reached >= WORKS:
        return "more test tracks, the interval is too wide to tell"
    if outcome.improving:
        return f"raise {group}.steps, the score was still improving"
    if reached <= (STANDSTILL if claim.unclear else 0):
        return f"change {group}.lr by a factor of 3, or look at metrics/data.html for bad data"
    if outcome.validations < 2:
        return f"lower {group}.validate_every, to see whether it was still improving"
    if outcome.best_step < 0.8 * outcome.steps:
        return (
            f"more data, a smaller model or fewer steps: it was best at step {outcome.best_step} "
            f"of {outcome.steps}"
        )
    if claim.unclear:
        return "more test tracks, the interval is too wide to tell"
    return "more data or a larger model"
