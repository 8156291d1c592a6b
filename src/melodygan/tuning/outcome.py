"""What a search has found: baseline, best, how sure that is, and what mattered."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from melodygan.pipeline.files import digest
from melodygan.tuning.jobs import Job
from melodygan.tuning.sampling import BASELINE
from melodygan.tuning.setting import Objective, Setting
from melodygan.tuning.space import Values

SEEDS = 2  # with which winner and baseline are run again
_ENOUGH = 4  # complete trials from which importances are told


@dataclass(frozen=True)
class Sure:
    """Scores of the baseline and of the best, by seed, the search's own first; None: it failed."""

    baseline: tuple[float | None, ...]
    best: tuple[float | None, ...]
    higher: bool

    @property
    def wins(self) -> int:
        """Seeds with which the best is better; a run that fails is the worst there is."""
        return sum(self._better(b, a) for a, b in zip(self.baseline, self.best, strict=True))

    @property
    def agreed(self) -> bool:
        """Whether it is with all of them."""
        return self.wins == len(self.best)

    def _better(self, one: float | None, other: float | None) -> bool:
        if one is None:
            return False
        return other is None or (one > other if self.higher else one < other)


def best_of(held: Mapping[str, FrozenTrial], objective: Objective) -> FrozenTrial | None:
    """The complete trial with the best value; the first of equal ones."""
    done = [t for t in held.values() if t.state == TrialState.COMPLETE]
    sign = -1 if objective.higher else 1
    return min(done, key=lambda t: (sign * t.values[0], t.number), default=None)


def reruns(setting: Setting, trials: Sequence[FrozenTrial]) -> dict[str, Job]:
    """Jobs that run trials again with further seeds."""
    jobs: dict[str, Job] = {}
    for trial in trials:
        for more in range(1, SEEDS + 1):
            key = rerun_key(trial, more)
            values: Values = setting.space.fixed | trial.user_attrs["values"]
            seed = (setting.seed + more) % 2**32
            jobs[key] = Job(f"{setting.name}-seeds", key, values, seed)
    return jobs


def rerun_key(trial: FrozenTrial, more: int) -> str:
    """Of the run of a trial's values with the seed `more` above."""
    return f"{digest(trial.user_attrs['values'])[:8]}-{more}"


def sureness(
    baseline: FrozenTrial, best: FrozenTrial, again: Mapping[str, FrozenTrial], higher: bool
) -> Sure:
    """Of two trials and their runs with further seeds."""

    def scores(trial: FrozenTrial) -> tuple[float | None, ...]:
        runs = [trial, *(again.get(rerun_key(trial, more)) for more in range(1, SEEDS + 1))]
        return tuple(run.values[0] if run is not None and run.values else None for run in runs)

    return Sure(scores(baseline), scores(best), higher)


def importances(study: optuna.Study, objective: int = 0) -> dict[str, float]:
    """How much each parameter mattered, in parts of 1, the most important first.

    By functional ANOVA (Hutter et al. 2014) over the complete trials; empty with fewer than four,
    or where nothing differs.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    done = [t for t in study.get_trials(deepcopy=False) if _counts(t)]
    # the baseline lacks what of it lies beyond the space
    sampled = [set(t.params) for t in done if t.user_attrs["key"] != BASELINE]
    common = set.intersection(*sampled) if sampled else set()
    done = [t for t in done if common <= set(t.params)]
    differing = [name for name in common if len({repr(t.params[name]) for t in done}) > 1]
    if len(done) < _ENOUGH or not differing or len({t.values[objective] for t in done}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = get_param_importances(
            study,
            evaluator=FanovaImportanceEvaluator(n_trees=32, seed=0),
            params=sorted(differing),
            target=lambda trial: trial.values[objective],
        )
    return dict(found)


def _counts(trial: FrozenTrial) -> bool:
    notes = trial.user_attrs  # without a key it is not the search's own
    return trial.state == TrialState.COMPLETE and "key" in notes and "void" not in notes


def front(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that none is better than in all objectives, by the first of them."""
    kept = [trial for trial in study.best_trials if _counts(trial)]
    return sorted(kept, key=lambda trial: trial.values)


def changes(old: Values, values: Values) -> dict[str, tuple[Any, Any]]:
    """Parameters whose values differ: old and new."""
    return {k: (old.get(k), v) for k, v in values.items() if old.get(k) != v}


def baseline_of(held: Mapping[str, FrozenTrial]) -> FrozenTrial | None:
    """The trial with the values of params.yaml, if it is complete."""
    trial = held.get(BASELINE)
    return trial if trial is not None and trial.state == TrialState.COMPLETE else None
