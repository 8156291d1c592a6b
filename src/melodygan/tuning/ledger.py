"""Who does which run of a study, so that each is done once, whatever is killed.

Every run has a key, such as its place in the search. A process claims a key by adding a trial for
it that is already running and names its owner, in one transaction; of several claims the trial
with the lowest number holds the key, which all processes see alike. A trial whose owner is dead is
made void, and its key is open again: the next claim takes over its parameters and, since a run's
checkpoints go by its key, its training too. Void trials stay in the storage as failed ones with the
attribute `void`.

An owner on this machine is dead when its process is. One elsewhere is when its heartbeat, a number
that it raises, has not moved for GRACE seconds of the observer's clock: clocks are not compared.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from melodygan.tuning.owners import Owner, ended, this_process

BEAT = 15.0  # s between heartbeats
GRACE = 120.0  # s without one after which an owner elsewhere is taken for dead


class Ledger:
    """The runs of one study. owner: who claims through it; this process, outside of tests."""

    def __init__(
        self,
        storage: BaseStorage,
        study: optuna.Study,
        owner: Owner | None = None,
        grace: float = GRACE,
    ) -> None:
        self.storage, self.study = storage, study
        self.owner, self.grace = owner or this_process(), grace
        self._id = storage.get_study_id_from_name(study.study_name)
        self._beats = 0
        self._seen: dict[int, tuple[int, float]] = {}  # by trial: its last beat, and when

    def holders(self) -> dict[str, FrozenTrial]:
        """The trial that holds each claimed key."""
        held: dict[str, FrozenTrial] = {}
        for trial in self.study.get_trials(deepcopy=False):  # by number
            if "key" in trial.user_attrs and "void" not in trial.user_attrs:
                held.setdefault(trial.user_attrs["key"], trial)
        return held

    def lost(self, key: str) -> list[FrozenTrial]:
        """The trials of a key whose owners died, oldest first."""
        return [
            trial
            for trial in self.study.get_trials(deepcopy=False)
            if trial.user_attrs.get("key") == key and trial.user_attrs.get("void") == "lost"
        ]

    def claim(
        self,
        key: str,
        params: Mapping[str, Any] | None = None,
        distributions: Mapping[str, BaseDistribution] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Trial | None:
        """A running trial that holds `key`; None where another process was faster.

        params, distributions: that it has already, as Optuna knows them.
        """
        notes = {**(attributes or {}), "key": key, "owner": self.owner, "beat": 0}
        template = create_trial(
            state=TrialState.RUNNING,
            params=dict(params or {}),
            distributions=dict(distributions or {}),
            user_attrs=notes,
        )
        number = self.storage.create_new_trial(self._id, template)
        trial = Trial(self.study, number)
        if self.holders()[key].number == trial.number:
            return trial
        self._void(trial._trial_id, "claimed twice")
        return None

    def dead(self, trial: FrozenTrial) -> bool:
        """Whether the owner of a running trial is."""
        over = ended(trial.user_attrs["owner"])
        if over is not None:
            return over
        now, beat = time.monotonic(), int(trial.user_attrs["beat"])
        before, since = self._seen.get(trial.number, (-1, now))
        if beat != before:
            since = now
        self._seen[trial.number] = beat, since
        return now - since > self.grace

    def give_up(self, number: int) -> None:
        """Open the key of the trial with that number again: its owner, or its process, is dead."""
        found = self.storage.get_trial_id_from_study_id_trial_number(self._id, number)
        self._void(found, "lost")

    def beat(self, trial: Trial) -> bool:
        """Say that this process works on it; False where another one has taken it over."""
        self._beats += 1
        try:
            trial.set_user_attr("beat", self._beats)
        except UpdateFinishedTrialError:
            return False
        return True

    def finish(
        self,
        trial: Trial,
        state: TrialState,
        values: Sequence[float] | None,
        attributes: Mapping[str, Any],
    ) -> bool:
        """Record how a trial ended; False where another process has taken it over meanwhile."""
        try:
            for key, value in attributes.items():
                trial.set_user_attr(key, value)
            self.storage.set_trial_state_values(trial._trial_id, state, values)
        except UpdateFinishedTrialError:
            return False
        return True

    def _void(self, trial: int, reason: str) -> None:
        """trial: its id in the storage."""
        try:
            self.storage.set_trial_user_attr(trial, "void", reason)
            self.storage.set_trial_state_values(trial, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return  # it ended just now, or another process was faster
