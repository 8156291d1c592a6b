"""The one training loop. Read it top to bottom: `train` is the whole story.

Every step's randomness is derived from (seed, step): batches from a numpy generator, everything
in torch from a reseeding at the start of the step. So a checkpoint needs no random states, and a
resumed run draws exactly what the uninterrupted run would have drawn.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from melodygan.pipeline.runtime import Runtime
from melodygan.pipeline.stage import Stage
from melodygan.training.batches import batches
from melodygan.training.checkpoint import Checkpoints
from melodygan.training.curves import Curves, sinks
from melodygan.training.device import place, precision, start_device
from melodygan.training.guards import passed, require_finite
from melodygan.training.outlet import Outlet
from melodygan.training.processes import join
from melodygan.training.progress import Progress
from melodygan.training.samples import Samples
from melodygan.training.settings import TrainSettings
from melodygan.training.state import RunState
from melodygan.training.task import Batch, Task, Update
from melodygan.training.times import Spent
from melodygan.training.verdict import Outcome

LOG_EVERY = 10  # steps averaged into one row of the training curve

T = TypeVar("T", bound=Task)


def train(
    stage: Stage,
    settings: TrainSettings,
    seed: int,
    make: Callable[[], T],
    outlet: Outlet | None = None,
    runtime: Runtime | None = None,
) -> T:
    """Make a task, train it, and return it with its best weights in its networks.

    The run's checkpoints carry the stage's fingerprint, so that only a run with the same
    parameters, inputs and code is resumed; curves go to the outlet, else to metrics/<stage>. In a
    data-parallel run this returns in the first process only; the others end here. A task without
    networks is returned as it is. runtime: machine settings, else those of params.yaml.
    Raises UserError when a loss stops being a finite number.
    """
    runtime = runtime or Runtime.read()
    outlet = outlet or Outlet(Path("metrics") / stage.name)
    outlet.metrics.mkdir(parents=True, exist_ok=True)  # DVC expects it also of an idle task
    processes = join(runtime, settings.batch_size)
    device = start_device(runtime)
    torch.manual_seed(seed)
    task = make()
    if not task.networks:
        processes.leave()
        return task
    task.processes = processes
    place(task, device, runtime)
    state = RunState(task)
    identity = _identity(task, settings, seed, runtime)
    with Checkpoints(stage.name, stage.fingerprint(identity), processes) as checkpoints:
        if saved := checkpoints.load(settings.steps):
            state.load(saved)
        run = _Run(stage.name, settings, runtime, seed, state, device, checkpoints, outlet)
        steps = range(state.step, settings.steps)
        with batches(task, seed, steps, device, runtime.loaders, processes) as prepared:
            for batch in prepared:
                if state.stopped:
                    break
                run.step(batch)
        run.finish()
        processes.leave()
    stage.when_done(checkpoints.retire)
    return task


def _identity(task: Task, settings: TrainSettings, seed: int, runtime: Runtime) -> dict[str, Any]:
    """What, besides inputs and code, makes two runs the same."""
    chosen = asdict(settings)
    if type(task).lr_factor is Task.lr_factor:
        del chosen["steps"]  # they only say where it ends, so a longer run is the same one
    # with the precision, so that its change, the remedy for a loss that overflows, starts afresh
    return {
        "task": type(task).__qualname__,
        "settings": chosen,
        "seed": seed,
        "precision": runtime.precision,
        "torch": torch.__version__,  # with the kind of build, which its package does not tell
    }


class _Run:
    """One run's parts, so that each function below is short."""

    def __init__(
        self,
        name: str,
        settings: TrainSettings,
        runtime: Runtime,
        seed: int,
        state: RunState,
        device: torch.device,
        checkpoints: Checkpoints,
        outlet: Outlet,
    ) -> None:
        self.name, self.settings, self.runtime, self.seed = name, settings, runtime, seed
        self.state, self.device, self.checkpoints = state, device, checkpoints
        self.processes = state.task.processes
        self.first, self.observe = self.processes.first, outlet.observe
        if state.step and self.first:
            print(f"{name}: resuming at step {state.step} of {settings.steps}", flush=True)
        folder = outlet.metrics
        extra = sinks(name, runtime, bool(state.step)) if self.first else []
        # the other processes of a data-parallel run keep the same rows, but write nothing
        self.curves = Curves(folder, state.rows, extra) if self.first else None
        self.samples = Samples(checkpoints.folder / "samples", folder, state.step)
        self.progress = Progress(name, state, settings.steps, self.first)
        self.saved = time.monotonic()
        self.before = state.seconds - self.saved, state.cpu_seconds - time.process_time()
        if self.first:
            for row in state.rows.get("validation", []):
                self._ask(int(row["step"]), {k: v for k, v in row.items() if k != "step"})

    def step(self, batch: Batch) -> None:
        """One training step, and what is due after it."""
        state, settings = self.state, self.settings
        torch.manual_seed(_step_seed(self.seed, state.step))
        state.set_learning_rates(state.step / settings.steps)
        logs: dict[str, Tensor] = {}
        updates = state.task.updates(batch, state.step)
        while (update := self._next(updates)) is not None:
            self._apply(update)
            logs |= {f"{update.optimiser}_loss": update.loss, **update.logs}
        state.follow()
        state.step += 1
        state.pending.append({key: value.detach() for key, value in logs.items()})
        if len(state.pending) == LOG_EVERY:
            self._log()
            self._check_budget()
        if state.step % settings.validate_every == 0:
            self._validate()
        if settings.sample_every and state.step % settings.sample_every == 0:
            self._sample()
        self.progress.show(state)
        due = time.monotonic() - self.saved >= self.runtime.checkpoint_seconds
        if self.processes.agree(due, self.device):
            self._save()

    def finish(self) -> None:
        """What is left to log and to score; the best weights; how it went."""
        state = self.state
        self._save()  # run again, a finished run goes on from here, also to more steps
        if state.pending:
            self._log()
        if state.validated != state.step:
            self._validate()
        self._count_time()
        on = self.device.type, self.processes.count
        state.task.spent = Spent(state.seconds, state.cpu_seconds, *on)
        self.samples.publish()
        self.progress.close(state)
        if self.curves:
            self.curves.close()
        state.adopt_best()
        validations = len(state.rows.get("validation", []))
        state.task.outcome = Outcome(
            state.step,
            state.best_step,
            state.best_score,
            state.stopped,
            validations,
            validations > 1 and state.best_step > 0.8 * state.step,
            tuple(state.warnings),
        )

    def _next(self, updates: Iterator[Update]) -> Update | None:
        """The forward pass up to the next update; only this part runs in reduced precision."""
        with precision(self.runtime, self.device):
            return next(updates, None)

    def _apply(self, update: Update) -> None:
        optimiser = self.state.task.optimisers[update.optimiser]
        optimiser.zero_grad(set_to_none=True)
        update.loss.backward()
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        self.processes.average([p.grad for p in parameters if p.grad is not None])
        clip = self.state.task.clip if update.clip is None else update.clip
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()

    def _log(self) -> None:
        """Pending logs become a row; only here does the host wait for the device.

        Each value is the mean over the steps that had it. Every process has the same keys in the
        same steps, so one exchange averages them all.
        """
        state = self.state
        first = state.step - len(state.pending) + 1
        places = [
            (key, first + offset) for offset, logs in enumerate(state.pending) for key in logs
        ]
        flat = [value.to(self.device) for logs in state.pending for value in logs.values()]
        state.pending = []
        if not flat:
            return  # no step of these had an update
        table = torch.stack(flat)
        self.processes.average([table])
        columns: dict[str, list[float]] = {}
        for (key, step), value in zip(places, table.tolist(), strict=True):
            require_finite({key: value}, step, self.name)
            columns.setdefault(key, []).append(value)
        self._add("train", {key: float(np.mean(values)) for key, values in columns.items()})

    def _add(self, curve: str, values: dict[str, float]) -> None:
        state = self.state
        if self.curves:
            self.curves.add(curve, state.step, values)
        else:
            state.rows.setdefault(curve, []).append({"step": float(state.step), **values})
        for warning in passed(state.task.limits, state.rows):
            if warning.split(" (")[0] not in {known.split(" (")[0] for known in state.warnings}:
                state.warnings.append(warning)
                if self.first:
                    print(f"{self.name}: warning: {warning}", flush=True)

    def _check_budget(self) -> None:
        state = self.state
        self._count_time()
        limit = self.settings.max_minutes
        over = 0 < limit * 60 <= state.seconds
        if limit and self.processes.agree(over, self.device):
            state.stopped = f"max_minutes ({limit:g}) reached"

    def _count_time(self) -> None:
        wall, cpu = self.before
        self.state.seconds = wall + time.monotonic()
        self.state.cpu_seconds = cpu + time.process_time()

    def _validate(self) -> None:
        """Score the weights on held-out tracks, in the first process; keep the best."""
        self.state.validated = self.state.step
        if self.first:
            with self._exported():
                scores = self.state.task.validate()
            require_finite(scores, self.state.step, self.name)
            self._add("validation", scores)
            self._judge(scores)
            self._ask(self.state.step, scores)
        if self.processes.agree(bool(self.state.stopped), self.device) and not self.state.stopped:
            self.state.stopped = "stopped early"

    def _judge(self, scores: dict[str, float]) -> None:
        state, task = self.state, self.state.task
        if task.score is None:
            return
        score = scores[task.score]
        if state.best_score is None or score < state.best_score:
            state.best_score, state.best_step = score, state.step
            state.best = state.final_weights()
        elif self.settings.patience and not state.stopped:
            waited = (state.step - state.best_step) / self.settings.validate_every
            if waited >= self.settings.patience:
                state.stopped = "stopped early"

    def _ask(self, step: int, scores: dict[str, float]) -> None:
        """Tell the observer of a validation; what it answers ends the run."""
        if answer := self.observe(step, scores):
            self.state.stopped = self.state.stopped or answer

    def _sample(self) -> None:
        if self.first:
            with self._exported():
                self.samples.add(self.state.step, self.state.task.samples(), self.state.task.audio)

    @contextmanager
    def _exported(self) -> Iterator[None]:
        """Within the block the networks are as they will be handed out: averaged, in eval mode."""
        networks = self.state.task.networks
        # no loss has seen the latest weights yet, and scores of broken ones fail in their own ways
        norms = {
            f"norm of {name}": float(nn.utils.get_total_norm(network.parameters()))
            for name, network in networks.items()
        }
        require_finite(norms, self.state.step, self.name)
        trained = self.state.swap_in_averages()
        for network in networks.values():
            network.eval()
        with torch.no_grad():
            yield
        for network in networks.values():
            network.train()
        for name, weights in trained.items():
            networks[name].load_state_dict(weights)

    def _save(self) -> None:
        """Save the state, unless the latest losses turn out to be broken.

        All processes take part, for a task's state may be spread over them, and so are the losses
        that are not yet a row.
        """
        self.processes.average([value for logs in self.state.pending for value in logs.values()])
        for logs in self.state.pending:
            values = {key: float(value) for key, value in logs.items()}
            require_finite(values, self.state.step, self.name)
        self._count_time()
        state = self.state.dump()
        if self.first:
            self.checkpoints.save(self.state.step, state)
        self.saved = time.monotonic()


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step, 1]).generate_state(1, np.uint64)[0] >> 1)
