"""Which values a trial tries: a function of the seed, its key, and the trials before it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import BasePruner, MedianPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, Trial

from melodygan.tuning.jobs import MINUTES, Job
from melodygan.tuning.ledger import Ledger
from melodygan.tuning.space import Dimension, OneOf, Space, Values, lookup, rounded

BASELINE = "0"  # key of the trial with the values of params.yaml
RANDOM = 6  # trials before the first that is chosen by those before it
JUDGED = 4  # complete trials before the first that is ended early
SPARED = 2  # validations before one may be


def sampler(seed: int, key: str) -> BaseSampler:
    """Of one trial: tree-structured Parzen estimators (Bergstra et al. 2011).

    Made anew for each, so that a search that was killed goes on as it would have. Trials that run
    at the same time count as poor ones, so that no two try the same.
    """
    mixed = int(np.random.SeedSequence([seed, int(key)]).generate_state(1)[0])
    return TPESampler(seed=mixed, n_startup_trials=RANDOM, constant_liar=True)


def pruner(validate_every: int) -> BasePruner:
    """Ends a trial whose best validation is worse than the median of others at the same step."""
    return MedianPruner(JUDGED, n_warmup_steps=SPARED * validate_every + 1)


def distribution(dimension: Dimension) -> BaseDistribution:
    """As Optuna writes it."""
    if isinstance(dimension, OneOf):
        return CategoricalDistribution(dimension.values)
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


@dataclass
class Search:
    """A search's plan: the values of params.yaml first, then what the sampler suggests.

    count: of trials; None without end. kind_of: the group within the stage's group that has the
    settings of training, for values of the others.
    """

    study: str
    space: Space
    group: dict[str, Any]
    seed: int
    count: int | None
    objectives: tuple[str, ...]
    kind_of: Callable[[Values], str]

    @property
    def prune(self) -> bool:
        """Optuna compares trials in progress by a single score only."""
        return len(self.objectives) == 1 and self.objectives[0] != MINUTES

    def essential(self, key: str) -> bool:
        """The run with the values of params.yaml: what is better than it is what is asked."""
        return key == BASELINE

    def order(self) -> Iterator[str]:
        """0, 1, 2, ..."""
        number = 0
        while self.count is None or number < self.count:
            yield str(number)
            number += 1

    def claim(self, ledger: Ledger, key: str) -> tuple[Trial, Job] | None:
        """With the values of a dead owner's trial, if there is one."""
        ledger.study.sampler = sampler(self.seed, key)
        before = [trial for trial in ledger.lost(key) if "values" in trial.user_attrs]
        if before:
            return self._again(ledger, key, before[-1])
        if key == BASELINE:
            return self._baseline(ledger, key)
        trial = ledger.claim(key)
        if trial is None:
            return None
        values = _suggest_all(trial, self.space.of(""))
        if kind := self.kind_of(self.space.fixed | values):
            values |= _suggest_all(trial, self.space.of(kind))
        trial.set_user_attr("values", values)
        return trial, self._job(key, values)

    def _again(self, ledger: Ledger, key: str, before: FrozenTrial) -> tuple[Trial, Job] | None:
        values = before.user_attrs["values"]
        trial = ledger.claim(key, before.params, before.distributions, {"values": values})
        return (trial, self._job(key, values)) if trial else None

    def _baseline(self, ledger: Ledger, key: str) -> tuple[Trial, Job] | None:
        """Optuna is told those of its values that the space has."""
        kind = self.kind_of(self.space.fixed)
        used = self.space.of("") | (self.space.of(kind) if kind else {})
        values = {name: lookup(self.group, name) for name in used}
        known = {name: distribution(used[name]) for name in used}
        known = {n: d for n, d in known.items() if _contains(d, values[n])}
        params = {name: values[name] for name in known}
        trial = ledger.claim(key, params, known, {"values": values})
        return (trial, self._job(key, values)) if trial else None

    def _job(self, key: str, values: Values) -> Job:
        return Job(self.study, key, self.space.fixed | values)


def _suggest_all(trial: Trial, dimensions: Mapping[str, Dimension]) -> Values:
    return {name: rounded(_suggest(trial, name, each)) for name, each in dimensions.items()}


def _suggest(trial: Trial, name: str, dimension: Dimension) -> Any:
    if isinstance(dimension, OneOf):
        return trial.suggest_categorical(name, dimension.values)
    if dimension.whole:
        return trial.suggest_int(name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def _contains(known: BaseDistribution, value: Any) -> bool:
    if isinstance(known, CategoricalDistribution):
        return value in known.choices
    assert isinstance(known, IntDistribution | FloatDistribution)
    return known.low <= value <= known.high


@dataclass
class Listed:
    """A plan of runs that are known beforehand, by key."""

    jobs: dict[str, Job]
    objectives: tuple[str, ...]
    prune: bool = False

    def essential(self, key: str) -> bool:
        """The first: where it cannot begin, none can."""
        return key == next(iter(self.jobs))

    def order(self) -> Iterator[str]:
        """In the given order."""
        yield from self.jobs

    def claim(self, ledger: Ledger, key: str) -> tuple[Trial, Job] | None:
        """As it was given."""
        job = self.jobs[key]
        notes = {"values": job.values, "seed": job.seed, "share": job.share}
        trial = ledger.claim(key, attributes=notes)
        return (trial, job) if trial else None
