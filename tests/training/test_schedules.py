"""Losses that appear, pause or end: rows average what there is, tables grow, also when resumed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from melodygan.training.settings import TrainSettings
from melodygan.training.task import Batch, Task, Trained, Update

Workspace = Any  # the fixture's class, in conftest.py

# which steps (from 0) have the update `main`, which have `side`
SCHEDULES: dict[str, tuple[Callable[[int], bool], Callable[[int], bool]]] = {
    "generator every fifth step": (lambda s: True, lambda s: s % 5 == 4),
    "generator on steps 0, 5": (lambda s: True, lambda s: s % 5 == 0),
    "joins at 20": (lambda s: True, lambda s: s >= 20),
    "joins at 25": (lambda s: True, lambda s: s >= 25),
    "ends at 20": (lambda s: True, lambda s: s < 20),
    "ends at 15": (lambda s: True, lambda s: s < 15),
    "pauses": (lambda s: True, lambda s: not 8 <= s < 32),
    "steps without any": (lambda s: s % 3 == 0, lambda s: False),
    "ten without any": (lambda s: not 10 <= s < 20, lambda s: False),
}


class ScheduledTask(Task):
    """Two weights; each loss is the number of its step, so that every mean can be told."""

    when = SCHEDULES["pauses"]

    def __init__(self, settings: TrainSettings) -> None:
        self.networks = {name: nn.Linear(1, 1, bias=False) for name in ("main", "side")}
        self.optimisers = {
            name: torch.optim.SGD(network.parameters(), 1e-3)
            for name, network in self.networks.items()
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        return {"x": torch.ones(1, 1)}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        if Path(f"interrupt-{step}").exists():
            raise InterruptedError
        for name, due in zip(("main", "side"), self.when, strict=True):
            if due(step):
                value = self.networks[name](batch["x"]).sum()
                yield Update(name, value - value.detach() + step)

    def validate(self) -> dict[str, float]:
        return {"weight": float(self.networks["main"].weight.detach())}

    def trained(self) -> Trained:
        raise NotImplementedError

    def test(self) -> dict[str, Any]:
        raise NotImplementedError


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("stop", [7, 20, 26, 33])
def test_rows_are_the_means_of_the_steps_that_have_a_loss(
    name: str, stop: int, make_workspace: Callable[[str], Workspace]
) -> None:
    class Scheduled(ScheduledTask):
        when = SCHEDULES[name]

    space = make_workspace("whole")
    whole = space.result(space.train(Scheduled))
    expected = []
    for first in range(0, 40, 10):
        row = {"step": first + 10.0}
        for loss, due in zip(("main_loss", "side_loss"), SCHEDULES[name], strict=True):
            steps = [s for s in range(first, first + 10) if due(s)]
            if steps:
                row[loss] = float(np.mean(steps))
        if len(row) > 1:
            expected.append(row)
    assert space.curve("train") == [pytest.approx(row) for row in expected]

    space = make_workspace("resumed")
    (space.folder / f"interrupt-{stop}").touch()
    with pytest.raises(InterruptedError):
        space.train(Scheduled)
    (space.folder / f"interrupt-{stop}").unlink()
    assert space.result(space.train(Scheduled)) == whole
