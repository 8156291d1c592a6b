"""How far a search is: a bar on a terminal, elsewhere a line for each trial."""

import sys
import time

from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from melodygan.tuning.setting import Objective

_WORDS = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


class Progress:
    """what: the stage, and what of it is done. total: runs in all, None where nobody knows; done:
    of them so far. seconds: after which the search ends, or None."""

    def __init__(
        self,
        what: str,
        objective: Objective,
        total: int | None,
        done: int,
        seconds: float | None = None,
    ) -> None:
        self.what, self.objective, self.total = what, objective, total
        self.first = self.done = done
        self.began, self.seconds = time.monotonic(), seconds
        self.best: float | None = None
        hidden = not sys.stderr.isatty()
        self.bar = tqdm(desc=what, total=total, initial=done, unit="trial", disable=hidden)

    def tell(self, trial: FrozenTrial) -> None:
        """One more has ended."""
        self.done += 1
        self.bar.update()
        self.see(trial)
        line = f"{self.what}: {self.done}{f' of {self.total}' if self.total else ''}, "
        line += f"{trial.user_attrs['key']} {_WORDS[trial.state]}"
        if trial.values:
            line += f", {self.objective.name} {trial.values[0]:.4g}"
        if reason := trial.user_attrs.get("reason"):
            line += f" ({reason})"
        if self.best is not None:
            line += f", best {self.best:.4g}"
            self.bar.set_postfix_str(f"best {self.objective.name} {self.best:.4g}", refresh=False)
        if self.bar.disable:
            print(f"{line}, {self._left()}", flush=True)
        elif trial.state == TrialState.FAIL:
            self.bar.write(line)

    def see(self, trial: FrozenTrial) -> None:
        """Count a trial for the best, also one of an earlier session."""
        if trial.values:
            better = max if self.objective.higher else min
            value = trial.values[0]
            self.best = value if self.best is None else better(self.best, value)

    def close(self) -> None:
        """End the bar."""
        self.bar.close()

    def _left(self) -> str:
        spent = time.monotonic() - self.began
        if self.total is None:
            return f"{max(0.0, (self.seconds or 0) - spent):.0f} s left"
        each = spent / (self.done - self.first)
        return f"{each * (self.total - self.done):.0f} s left"
