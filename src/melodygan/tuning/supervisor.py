"""Claims the runs of a plan, has them done, and writes down what came of them."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.trial import FrozenTrial, Trial, TrialState

from melodygan.pipeline.errors import UserError
from melodygan.tuning.jobs import MINUTES, Ended, Failed, Job, Message, Validation
from melodygan.tuning.ledger import BEAT, Ledger
from melodygan.tuning.pool import Pool

TRIES = 3  # of a run whose process dies each time
_POLL = 1.0  # s


class Plan(Protocol):
    """Which runs there are to do.

    objectives: names of scores, or `minutes`.
    """

    objectives: tuple[str, ...]

    @property
    def prune(self) -> bool:
        """Whether poor runs are ended early."""

    def essential(self, key: str) -> bool:
        """Whether a run must not be ended early, and nothing makes sense where it cannot begin."""

    def order(self) -> Iterator[str]:
        """The keys of all runs, in order; without end where only time ends the search."""

    def claim(self, ledger: Ledger, key: str) -> tuple[Trial, Job] | None:
        """Claim a run and say what it is; None where another process was faster."""


@dataclass
class Running:
    """A run in progress. curve: step and first objective of each validation."""

    trial: Trial
    job: Job
    began: float
    curve: list[tuple[int, float]] = field(default_factory=list)
    answer: str = ""  # with which it was told to end


class Supervisor:
    """Keeps the children of `pool` at work until a plan is done, here or elsewhere.

    deadline: on the monotonic clock, after which no run is begun and those in progress end at
    their next validation. tell: is shown each run that has ended.
    """

    def __init__(
        self,
        ledger: Ledger,
        pool: Pool,
        plan: Plan,
        tell: Callable[[FrozenTrial], None],
        deadline: float = math.inf,
    ) -> None:
        self.ledger, self.pool, self.plan = ledger, pool, plan
        self.tell, self.deadline = tell, deadline
        self.running: dict[int, Running] = {}
        self._beaten = time.monotonic()

    def run(self) -> dict[str, FrozenTrial]:
        """Work until nothing is left; the trials by key.

        Raises UserError when the search cannot go on: the first run cannot begin, or code or
        inputs have changed.
        """
        waiting = False
        while True:
            elsewhere = self._start()
            if not self.running and not elsewhere:
                return self.ledger.holders()
            if not self.running:
                if not waiting:
                    print("waiting for runs of other processes", flush=True)
                waiting = True
                time.sleep(_POLL)  # should one die, its run is taken over
            for slot, message in self.pool.hear(_POLL) if self.running else ():
                self._hear(slot, message)
            self._beat()

    def _start(self) -> bool:
        """Give idle children work; whether there are runs to wait for in other processes."""
        over = time.monotonic() >= self.deadline
        idle = [] if over else self.pool.idle()
        if self.running and not idle:
            return False
        mine = {running.job.key for running in self.running.values()}
        held, elsewhere = self.ledger.holders(), False
        for key in self.plan.order():
            if over and key not in held:
                break
            trial = held.get(key)
            if trial is not None and trial.state == TrialState.RUNNING and key not in mine:
                if not self.ledger.dead(trial):
                    elsewhere = True
                    continue
                self.ledger.give_up(trial.number)
                trial = None
            if trial is None:
                if not idle:
                    break
                if claimed := self.plan.claim(self.ledger, key):
                    slot = idle.pop()
                    self.running[slot] = Running(*claimed, time.monotonic())
                    self.pool.start(slot, claimed[1])
        return elsewhere and not over

    def _hear(self, slot: int, message: Message) -> None:
        running = self.running[slot]
        if isinstance(message, Validation):
            self.pool.answer(slot, self._judge(running, message))
            return
        del self.running[slot]
        if isinstance(message, Failed):
            self._failed(slot, running, message)
        else:
            self._ended(running, message)
        self.pool.free(slot)

    def _judge(self, running: Running, seen: Validation) -> str:
        """Why a run should end after a validation; "" if it should go on."""
        value = self._values(running, seen.scores)[0]
        running.curve.append((seen.step, value))
        if self.plan.prune and not running.answer:
            running.trial.report(value, seen.step)
            needed = self.plan.essential(running.job.key)
            if not needed and running.trial.should_prune():
                running.answer = "poor beside the trials before"
        if time.monotonic() >= self.deadline and not running.answer:
            running.answer = "the time was up"
        return running.answer

    def _ended(self, running: Running, end: Ended) -> None:
        notes = _notes(running) | {
            "step": end.step, "steps": end.steps, "cpu": end.cpu, "data_minutes": end.minutes,
            "scores": end.scores,
        }  # fmt: skip
        if running.answer:
            self._finish(running, TrialState.PRUNED, None, notes | {"reason": running.answer})
        elif end.warnings:
            self._finish(running, TrialState.FAIL, None, notes | {"reason": end.warnings[-1]})
        else:
            values = self._values(running, end.scores)
            self._finish(running, TrialState.COMPLETE, values, notes)

    def _values(self, running: Running, scores: Mapping[str, float]) -> list[float]:
        """Of the objectives."""
        known = {**scores, MINUTES: _minutes(running)}
        for name in self.plan.objectives:
            if name not in known:
                raise UserError(
                    f"--objectives: there is no score {name} (known: {', '.join(known)})"
                )
        return [known[name] for name in self.plan.objectives]

    def _failed(self, slot: int, running: Running, failure: Failed) -> None:
        if failure.trace:
            print(failure.trace, file=sys.stderr)
        if failure.lost and 1 + len(self.ledger.lost(running.job.key)) < TRIES:
            self.ledger.give_up(running.trial.number)  # memory, or a colleague's kill: once more
            return
        if failure.fatal:
            self.ledger.give_up(running.trial.number)
            raise UserError(failure.reason)
        self._finish(running, TrialState.FAIL, None, _notes(running) | {"reason": failure.reason})
        if failure.early and self.plan.essential(running.job.key):
            raise UserError(f"the first run cannot begin: {failure.reason}")

    def _finish(
        self,
        running: Running,
        state: TrialState,
        values: list[float] | None,
        notes: Mapping[str, Any],
    ) -> None:
        if not self.ledger.finish(running.trial, state, values, notes):
            return
        written = self.ledger.holders().get(running.job.key)
        if written is None or written.state != state:
            raise UserError(f"the storage has lost trial {running.job.key}: was its file removed?")
        self.tell(written)

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten < BEAT:
            return
        self._beaten = now
        for slot, running in list(self.running.items()):
            if not self.ledger.beat(running.trial):  # it was taken for dead, and is another's now
                del self.running[slot]
                self.pool.stop(slot)


def _minutes(running: Running) -> float:
    return (time.monotonic() - running.began) / 60


def _notes(running: Running) -> dict[str, Any]:
    return {"curve": running.curve, "seconds": 60 * _minutes(running)}
