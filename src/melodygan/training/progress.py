"""How far a run is: a bar on a terminal, elsewhere a line a minute."""

import sys
import time

from tqdm import tqdm

from melodygan.training.state import RunState

EVERY = 60.0  # s between lines


class Progress:
    """Rate and time left count from where this process took up the run."""

    def __init__(self, name: str, state: RunState, steps: int, shown: bool) -> None:
        self.name, self.steps, self.first, self.shown = name, steps, state.step, shown
        self.started = self.spoke = time.monotonic()
        terminal = shown and sys.stderr.isatty()
        self.bar = tqdm(
            desc=name, total=steps, initial=state.step, unit="step", disable=not terminal
        )

    def show(self, state: RunState) -> None:
        """Advance by one step."""
        self.bar.update()
        if not self.bar.disable:
            self.bar.set_postfix_str(_losses(state), refresh=False)
            return
        now = time.monotonic()
        if self.shown and now - self.spoke >= EVERY:
            rate = (state.step - self.first) / (now - self.started)
            left = (self.steps - state.step) / rate
            print(
                f"{self.name}: step {state.step} of {self.steps}, {rate:.3g} steps/s, "
                f"{left:.0f} s left, {_losses(state)}",
                flush=True,
            )
            self.spoke = now

    def close(self, state: RunState) -> None:
        """End the bar and say in one line how the run ended."""
        self.bar.close()
        if not self.shown:
            return
        line = f"{self.name}: {state.step} steps"
        if state.best_score is not None:
            line += f", best {state.task.score} {state.best_score:.4g} at step {state.best_step}"
        print(line + (f", {state.stopped}" if state.stopped else ""), flush=True)


def _losses(state: RunState) -> str:
    rows = state.rows.get("train") or [{}]
    return ", ".join(f"{k} {v:.3g}" for k, v in rows[-1].items() if k.endswith("_loss"))
