"""All that changes during a run, and so all that a checkpoint holds."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from melodygan.training.task import Task

Weights = dict[str, dict[str, Tensor]]


class RunState:
    """Networks, averages and optimisers of a task, and where the run is.

    There are no random states: every step draws from generators made of (seed, step).
    pending: the logs of steps that are not yet a row of the training curve, on the device.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.average = {n: copy.deepcopy(task.networks[n]).eval() for n in task.averaged}
        self.base_lr = {
            name: [group["lr"] for group in optimiser.param_groups]
            for name, optimiser in task.optimisers.items()
        }
        self.step = 0
        self.seconds = self.cpu_seconds = 0.0  # of training, over all resumptions
        self.validated = -1  # the step of the last validation
        self.stopped = ""  # why the run ended early
        self.pending: list[dict[str, Tensor]] = []
        self.rows: dict[str, list[dict[str, float]]] = {}
        self.best: Weights | None = None
        self.best_step = 0
        self.best_score: float | None = None
        self.warnings: list[str] = []

    def dump(self) -> dict[str, Any]:
        """Everything as tensors and plain values, loadable without unpickling code."""
        return {
            "networks": {n: m.state_dict() for n, m in self.task.networks.items()},
            "average": {n: m.state_dict() for n, m in self.average.items()},
            "optimisers": {n: o.state_dict() for n, o in self.task.optimisers.items()},
            "task": self.task.state(),
            **{key: getattr(self, key) for key in _PLAIN},
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Restore a dump."""
        for name, weights in saved["networks"].items():
            self.task.networks[name].load_state_dict(weights)
        for name, weights in saved["average"].items():
            self.average[name].load_state_dict(weights)
        for name, optimiser in saved["optimisers"].items():
            self.task.optimisers[name].load_state_dict(optimiser)
        self.task.load_state(saved["task"])
        for key in _PLAIN:
            setattr(self, key, saved[key])

    def set_learning_rates(self, progress: float) -> None:
        """The task's factors times the rates that the optimisers were made with."""
        for name, optimiser in self.task.optimisers.items():
            factor = self.task.lr_factor(progress, name)
            for group, lr in zip(optimiser.param_groups, self.base_lr[name], strict=True):
                group["lr"] = lr * factor

    @torch.no_grad()
    def follow(self) -> None:
        """Move the averages after the networks, fast at first, so that early weights fade."""
        decay = min(self.task.average_decay, (1 + self.step) / (10 + self.step))
        for name, average in self.average.items():
            network = self.task.networks[name]
            for mean, value in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
            for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
                kept.copy_(buffer)

    def final_weights(self) -> Weights:
        """Weights that the finished model has: the average where one is kept."""
        used = self.task.used
        return {
            name: _copy(network)
            for name, network in (self.task.networks | self.average).items()
            if used is None or name in used
        }

    def adopt_best(self) -> None:
        """Put the best (else the last) weights into the networks that the model needs."""
        for name, weights in (self.best or self.final_weights()).items():
            self.task.networks[name].load_state_dict(weights)
        for network in self.task.networks.values():
            network.eval()

    def swap_in_averages(self) -> Weights:
        """Put the averages into the networks; returns what was there."""
        trained = {name: _copy(self.task.networks[name]) for name in self.average}
        for name, average in self.average.items():
            self.task.networks[name].load_state_dict(average.state_dict())
        return trained


_PLAIN = (
    "step", "seconds", "cpu_seconds", "validated", "stopped", "pending", "rows", "best",
    "best_step", "best_score", "warnings",
)  # fmt: skip


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}
