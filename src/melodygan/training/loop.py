"""The one training loop. Read it top to bottom: `train` is the whole story.

Every step's randomness is derived from (seed, step): batches from a numpy generator, everything
in torch from a reseeding at the start of the step. So a checkpoint needs no random states, and a
resumed run draws exactly what the uninterrupted run would have drawn.
"""

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import Runtime
from melodygan.pipeline.stage import Stage
from melodygan.training.checkpoint import Checkpoints
from melodygan.training.curves import Curves
from melodygan.training.settings import TrainSettings
from melodygan.training.task import Batch, Task, Update

LOG_EVERY = 10  # steps averaged into one row of the training curve


T = TypeVar("T", bound=Task)


def train(stage: Stage, settings: TrainSettings, seed: int, make: Callable[[], T]) -> T:
    """Make a task, train it, and return it with its best weights in its networks.

    The run's checkpoints carry the stage's fingerprint, so that only a run with the same
    parameters, inputs and code is resumed; curves go to metrics/<stage>.
    Raises UserError when a loss stops being a finite number.
    """
    runtime = Runtime.read()
    device = start_device(runtime)
    torch.manual_seed(seed)
    task = make()
    state = _State(task, device, Curves(Path("metrics") / stage.name))
    # with the precision, so that its change, the remedy for a loss that overflows, starts afresh
    fingerprint = stage.fingerprint(
        {"settings": asdict(settings), "seed": seed, "precision": runtime.precision}
    )
    with Checkpoints(stage.name, fingerprint) as checkpoints:
        state.load(checkpoints.load())
        if state.step:
            print(f"{stage.name}: resuming at step {state.step} of {settings.steps}", flush=True)
        progress = _Progress(stage.name, state.step, settings.steps)
        saved = time.monotonic()
        while state.step < settings.steps and not state.stopped:
            logs = _step(state, settings, runtime, seed)
            state.step += 1
            _log(state, logs, stage.name, final=state.step == settings.steps)
            if state.step % settings.validate_every == 0 or state.step == settings.steps:
                _validate(state, settings, stage.name)
            progress.show(state)
            if time.monotonic() - saved >= runtime.checkpoint_seconds:
                checkpoints.save(state.step, state.dump())
                saved = time.monotonic()
        progress.close(state)
        state.adopt_best()
    stage.when_done(checkpoints.clear)  # a kill between here and the last output costs little
    return task


def start_device(runtime: Runtime) -> torch.device:
    """Set torch's threads and determinism for this process, and choose the device."""
    torch.set_num_threads(runtime.thread_count)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "params.yaml: runtime.device is cuda, but torch finds no GPU: set it to auto, "
            "or run `melodygan doctor`"
        )
    use_gpu = runtime.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if use_gpu else "cpu")


class _State:
    """All that changes during a run, and so all that a checkpoint holds."""

    def __init__(self, task: Task, device: torch.device, curves: Curves) -> None:
        self.task, self.device, self.curves = task, device, curves
        for network in task.networks.values():
            network.to(device)
        self.average = {n: copy.deepcopy(task.networks[n]).eval() for n in task.averaged}
        self.base_lr = {n: o.param_groups[0]["lr"] for n, o in task.optimisers.items()}
        self.step = 0
        self.stopped = False
        self.pending: list[dict[str, float]] = []
        self.best: dict[str, dict[str, Tensor]] | None = None
        self.best_step = 0
        self.best_score: float | None = None

    def final_weights(self) -> dict[str, dict[str, Tensor]]:
        """Weights that validation and export use: the average where one is kept."""
        networks = self.task.networks | self.average
        return {name: _copy(network) for name, network in networks.items()}

    def adopt_best(self) -> None:
        """Put the best (else the last) weights into the task's networks."""
        for name, weights in (self.best or self.final_weights()).items():
            self.task.networks[name].load_state_dict(weights)
            self.task.networks[name].eval()

    def dump(self) -> dict[str, Any]:
        """Everything as tensors and plain values, loadable without unpickling code."""
        return {
            "step": self.step,
            "networks": {n: m.state_dict() for n, m in self.task.networks.items()},
            "average": {n: m.state_dict() for n, m in self.average.items()},
            "optimisers": {n: o.state_dict() for n, o in self.task.optimisers.items()},
            "task": self.task.state(),
            "rows": self.curves.rows,
            "pending": self.pending,
            "best": self.best,
            "best_step": self.best_step,
            "best_score": self.best_score,
            "stopped": self.stopped,
        }

    def load(self, saved: dict[str, Any] | None) -> None:
        """Restore a dump; None leaves the fresh state."""
        if saved is None:
            return
        for name, weights in saved["networks"].items():
            self.task.networks[name].load_state_dict(weights)
        for name, weights in saved["average"].items():
            self.average[name].load_state_dict(weights)
        for name, optimiser in saved["optimisers"].items():
            self.task.optimisers[name].load_state_dict(optimiser)
        self.task.load_state(saved["task"])
        self.curves.restore(saved["rows"])
        for key in ("step", "pending", "best", "best_step", "best_score", "stopped"):
            setattr(self, key, saved[key])


def _step(state: _State, settings: TrainSettings, runtime: Runtime, seed: int) -> dict[str, Tensor]:
    task = state.task
    torch.manual_seed(_step_seed(seed, state.step))
    batch: Batch = {
        key: value.to(state.device, non_blocking=True)
        for key, value in task.batch(np.random.default_rng([seed, state.step])).items()
    }
    factor = task.lr_factor(state.step / settings.steps)
    logs: dict[str, Tensor] = {}
    updates = task.updates(batch, state.step)
    while (update := _next(updates, state.device, runtime)) is not None:
        _apply(state, update, factor)
        logs |= {f"{update.optimiser}_loss": update.loss, **update.logs}
    for name, average in state.average.items():
        _average(average, task.networks[name], task.average_decay, state.step)
    return {key: value.detach() for key, value in logs.items()}


def _next(updates: Iterator[Update], device: torch.device, runtime: Runtime) -> Update | None:
    """The forward pass up to the next update; only this part runs in reduced precision."""
    with torch.autocast(device.type, torch.bfloat16, enabled=runtime.precision == "bf16"):
        return next(updates, None)


def _apply(state: _State, update: Update, factor: float) -> None:
    optimiser = state.task.optimisers[update.optimiser]
    for group in optimiser.param_groups:
        group["lr"] = state.base_lr[update.optimiser] * factor
    optimiser.zero_grad(set_to_none=True)
    update.loss.backward()
    if state.task.clip is not None:
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, state.task.clip)
    optimiser.step()


@torch.no_grad()
def _average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average with a warm-up, so that early weights are forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)


def _log(state: _State, logs: dict[str, Tensor], stage: str, final: bool) -> None:
    """Average LOG_EVERY steps into a row; a loss that is not finite ends the run here."""
    values = {key: float(value) for key, value in logs.items()}
    _require_finite(values, state.step, stage)
    state.pending.append(values)
    if len(state.pending) == LOG_EVERY or final:
        means = {k: float(np.mean([row[k] for row in state.pending])) for k in values}
        state.curves.add("train", state.step, means)
        state.pending = []


def _require_finite(values: dict[str, float], step: int, stage: str) -> None:
    for key, value in values.items():
        if not math.isfinite(value):
            raise UserError(
                f"{key} became {value} at step {step}: lower {stage}.lr, or set "
                "runtime.precision to fp32"
            )


def _validate(state: _State, settings: TrainSettings, stage: str) -> None:
    task = state.task
    # no loss has seen the latest weights yet, and scores of broken ones fail in ways of their own
    norms = {
        f"norm of {name}": float(nn.utils.get_total_norm(network.parameters()))
        for name, network in task.networks.items()
    }
    _require_finite(norms, state.step, stage)
    training = {name: _copy(task.networks[name]) for name in state.average}
    for name, average in state.average.items():
        task.networks[name].load_state_dict(average.state_dict())
    for network in task.networks.values():
        network.eval()
    with torch.no_grad():
        scores = task.validate()
    for network in task.networks.values():
        network.train()
    for name, weights in training.items():
        task.networks[name].load_state_dict(weights)
    _require_finite(scores, state.step, stage)
    state.curves.add("validation", state.step, scores)
    if task.score is None:
        return
    score = scores[task.score]
    if state.best_score is None or score < state.best_score:
        state.best_score, state.best_step = score, state.step
        state.best = state.final_weights()
    elif settings.patience:
        waited = (state.step - state.best_step) / settings.validate_every
        state.stopped = waited >= settings.patience


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step, 1]).generate_state(1, np.uint64)[0] >> 1)


class _Progress:
    """A bar on a terminal; elsewhere a line a minute."""

    def __init__(self, name: str, step: int, steps: int) -> None:
        self.name, self.steps, self.first = name, steps, step
        self.started = self.spoke = time.monotonic()
        quiet = not sys.stderr.isatty()
        self.bar = tqdm(desc=name, total=steps, initial=step, unit="step", disable=quiet)

    def show(self, state: _State) -> None:
        """Advance by one step."""
        self.bar.update()
        rows = state.curves.rows.get("train")
        if rows and state.step % LOG_EVERY == 0:
            losses = {k: f"{v:.3g}" for k, v in rows[-1].items() if k.endswith("_loss")}
            self.bar.set_postfix(losses, refresh=False)
        now = time.monotonic()
        if self.bar.disable and now - self.spoke >= 60:
            rate = (state.step - self.first) / (now - self.started)
            left = (self.steps - state.step) / rate
            print(
                f"{self.name}: step {state.step} of {self.steps}, {rate:.1f} steps/s, "
                f"{left:.0f} s left",
                flush=True,
            )
            self.spoke = now

    def close(self, state: _State) -> None:
        """End the bar and say in one line how the run ended."""
        self.bar.close()
        line = f"{self.name}: {state.step} steps"
        if state.best_score is not None:
            line += f", best {state.task.score} {state.best_score:.4g} at step {state.best_step}"
        print(line + (", stopped early" if state.stopped else ""), flush=True)
