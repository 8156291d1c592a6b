"""Signs that a run has gone wrong: numbers that are not finite stop it, limits passed warn."""

import math
from collections.abc import Mapping

from melodygan.pipeline.errors import UserError
from melodygan.training.task import Limit

Rows = Mapping[str, list[dict[str, float]]]


def require_finite(values: Mapping[str, float], step: int, stage: str) -> None:
    """Raise UserError, with the remedy, for a value that is NaN or infinite."""
    for key, value in values.items():
        if not math.isfinite(value):
            raise UserError(
                f"{key} became {value} at step {step}: lower {stage}.lr, or set "
                "runtime.precision to fp32"
            )


def passed(limits: tuple[Limit, ...], rows: Rows) -> list[str]:
    """A warning for each limit that the last values of its column are all below."""
    warnings = []
    for limit in limits:
        column = [row for row in rows.get(limit.curve, []) if limit.key in row]
        values = [row[limit.key] for row in column[-limit.rows :]]
        if len(values) == limit.rows and max(values) < limit.low:
            warnings.append(
                f"{limit.meaning} ({limit.key} {values[-1]:.3g} is below {limit.low:g} at step "
                f"{column[-1]['step']:.0f}): {limit.advice}"
            )
    return warnings
