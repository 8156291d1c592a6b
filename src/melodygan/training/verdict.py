"""The last line of a training stage: does it work, and what to try next."""

from melodygan.training.task import Outcome


def verdict(
    stage: str, outcome: Outcome, score: str, value: float, baseline: float, ideal: float
) -> str:
    """One line: the held-out score, its baseline, what that means, and the next thing to try.

    baseline: what the score is without learning. ideal: what the best possible model would have.
    Either may be the larger one.
    """
    reached = (baseline - value) / (baseline - ideal) if baseline != ideal else 0.0
    word = (
        "works" if reached >= 0.5 else "weak" if reached > 0.05 else "no better than the baseline"
    )
    return (
        f"{stage}: {score} {value:.4g} (baseline {baseline:.4g}, ideal {ideal:.4g}): {word}, "
        f"{max(0.0, reached):.0%} of the way; next: {_advice(stage, outcome, reached)}"
    )


def _advice(stage: str, outcome: Outcome, reached: float) -> str:
    if outcome.warnings:
        return outcome.warnings[-1]
    if outcome.reason.startswith("max_minutes"):
        return f"raise {stage}.max_minutes, the run was cut short"
    if outcome.improving:
        return f"raise {stage}.steps, the score was still improving"
    if reached <= 0.05:
        return f"change {stage}.lr by a factor of 3, or look at metrics/data.html for bad data"
    return f"more data or a larger model, the score has stood still since step {outcome.best_step}"
