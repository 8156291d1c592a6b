"""What a supervisor and its child processes tell each other about one training run."""

from dataclasses import dataclass

from melodygan.tuning.space import Values

MINUTES = "minutes"  # an objective beside the scores: how long a trial takes


@dataclass(frozen=True)
class Job:
    """One run to do.

    study, key: whose run it is, and its name there; one and the same after a kill. values: of
    params, by their path within the stage's group. seed: None for that of params.yaml. share: of
    the training tracks' length that it may use, all of the other splits.
    """

    study: str
    key: str
    values: Values
    seed: int | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    scores: of the validation whose weights are kept. step: of that. steps: that were run. cpu: s of
    the training loop. minutes: of data trained on. warnings: of the task's limits.
    """

    scores: dict[str, float]
    step: int
    steps: int
    cpu: float
    minutes: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """Why there is no result.

    early: before the training began. trace: of a bug, for the eye. lost: the process died. fatal:
    the search cannot go on, as when code or inputs have changed since it began.
    """

    reason: str
    early: bool = False
    trace: str = ""
    lost: bool = False
    fatal: bool = False


@dataclass(frozen=True)
class Validation:
    """Scores of a run in progress; the child waits for an answer, and a reason ends the run."""

    step: int
    scores: dict[str, float]


Message = Validation | Ended | Failed
