"""The last line of a training stage: does it work, and what to try next."""

from collections.abc import Sequence
from dataclasses import dataclass

Interval = Sequence[float]  # low and high
_NOTHING = 0.05  # share of the way up to which a model counts as no better than its baseline


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
    possible model would have. higher: whether more is better. interval, baseline_interval: of the
    two values, where they are known. judgeable: False where the score is known not to tell the
    best from what is surely worse, whatever this baseline is.
    """

    score: str
    value: float
    baseline: float
    against: str
    ideal: float = 0.0
    higher: bool = False
    interval: Interval | None = None
    baseline_interval: Interval | None = None
    judgeable: bool = True

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
        """Whether the intervals of value and baseline, a point where unknown, overlap."""
        if self.interval is None:
            return False
        low, high = self.interval
        below, above = self.baseline_interval or (self.baseline, self.baseline)
        return low <= above and below <= high

    @property
    def refuted(self) -> bool:
        """Whether there is data to judge by, and it shows no gain over the baseline."""
        return self.reached is not None and (self.unclear or self.reached <= _NOTHING)

    def words(self) -> str:
        """The score, its interval, baseline and ideal, and what they come to."""
        said = f"{self.score} {self.value:.4g}"
        if self.interval:
            said += " [{:.4g} to {:.4g}]".format(*self.interval)
        return f"{said} (baseline {self.baseline:.4g}, ideal {self.ideal:.4g}): {self._meaning()}"

    def _meaning(self) -> str:
        if self.reached is None:
            return "too little data to judge"
        way = f"{max(0.0, self.reached):.0%} of the way"
        if self.refuted:
            word = "no difference shown from" if self.unclear else "no better than"
            return f"{word} {self.against}, {way}"
        return f"{'works' if self.reached >= 0.5 else 'weak'}, {way} from {self.against}"


def verdict(stage: str, outcome: Outcome, claim: Claim, besides: Sequence[Claim] = ()) -> str:
    """One line: the held-out score, its baseline, what that means, and the next thing to try.

    besides: what must hold too; where one of these is refuted the stage is not said to work.
    """
    said = f"{stage}: {claim.words()}"
    reached = claim.reached
    if reached is None:
        return f"{said}; next: more test tracks"
    if against := [f"{other.against} by {other.score}" for other in besides if other.refuted]:
        said = f"{said.partition('): ')[0]}): no better than {' and '.join(against)}"
        reached = 0.0
    return f"{said}; next: {_advice(stage, outcome, reached)}"


def _advice(stage: str, outcome: Outcome, reached: float) -> str:
    if outcome.warnings:
        return outcome.warnings[-1]
    if outcome.reason.startswith("max_minutes"):
        return f"raise {stage}.max_minutes, the run was cut short"
    if outcome.improving:
        return f"raise {stage}.steps, the score was still improving"
    if reached <= _NOTHING:
        return f"change {stage}.lr by a factor of 3, or look at metrics/data.html for bad data"
    if outcome.validations < 2:
        return f"lower {stage}.validate_every, to see whether it was still improving"
    if outcome.best_step < 0.8 * outcome.steps:
        return (
            f"more data, a smaller model or fewer steps: it was best at step {outcome.best_step} "
            f"of {outcome.steps}"
        )
    return "more data or a larger model"
