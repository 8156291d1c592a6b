"""Where a run writes, and who may watch its scores and end it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _nobody(step: int, scores: dict[str, float]) -> str:
    return ""


@dataclass(frozen=True)
class Outlet:
    """What a run shows to the outside.

    metrics: folder of its curves, samples and sounds. observe: called with the step and the scores
    of each validation; a reason that it returns ends the run, which then stands in the outcome. A
    resumed run first tells it of the validations that it had before, whose answers count too.
    """

    metrics: Path
    observe: Callable[[int, dict[str, float]], str] = _nobody
