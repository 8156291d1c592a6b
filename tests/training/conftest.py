"""Tiny tasks for the training loop, in a workspace where a stage `toy` can run.

Run as a script it trains one of them in another process, to be killed: conftest.py FOLDER KIND.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from melodygan.pipeline import Stage
from melodygan.training.loop import train
from melodygan.training.outlet import Outlet
from melodygan.training.settings import TrainSettings
from melodygan.training.task import Batch, Task, Trained, Update

DVC_YAML = """
stages:
  toy: {cmd: python stages/toy.py, deps: []}
"""
SETTINGS = fake.SETTINGS | {"steps": 40, "batch_size": 8, "lr": 0.05}


class ToyTask(Task):
    """Hands out nothing: these tests look at weights and curves."""

    def trained(self) -> Trained:
        raise NotImplementedError

    def test(self) -> dict[str, Any]:
        raise NotImplementedError


class LineTask(ToyTask):
    """Learns y = x . (1, 2, 3) with one linear layer; its score is the error on fixed points."""

    score = "error"

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        self.network = nn.Linear(3, 1)
        self.networks = {"line": self.network}
        adam = torch.optim.Adam(self.network.parameters(), settings.lr)
        self.optimisers = {"line": adam}

    def batch(self, rng: np.random.Generator) -> Batch:
        x = torch.from_numpy(rng.standard_normal((self.settings.batch_size, 3), np.float32))
        return {"x": x, "y": x @ torch.tensor([[1.0], [2.0], [3.0]])}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        disturb(step)
        noisy = batch["x"] + 0.01 * torch.randn(batch["x"].shape)
        yield Update("line", functional.mse_loss(self.network(noisy), batch["y"]))

    def validate(self) -> dict[str, float]:
        return {"error": float((self.network.weight - torch.tensor([1.0, 2.0, 3.0])).abs().sum())}


class PairTask(ToyTask):
    """Two networks against each other: buffers, an average, a pool, decay, clipping."""

    averaged = ("generator",)
    average_decay = 0.9
    clip = 1.0

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        self.generator = nn.Sequential(
            nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)
        )
        self.discriminator = nn.Linear(2, 1)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimisers = {
            name: torch.optim.Adam(network.parameters(), settings.lr, betas=(0.5, 0.9))
            for name, network in self.networks.items()
        }
        self.pool: list[Tensor] = []

    def batch(self, rng: np.random.Generator) -> Batch:
        points = rng.standard_normal((self.settings.batch_size, 2), np.float32)
        return {"real": torch.from_numpy(points) + 3}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        disturb(step)
        real = batch["real"]
        made = self.generator(torch.randn(len(real), 2))
        self.pool = [*self.pool[-3:], made.detach()]
        shown = self.pool[int(torch.randint(len(self.pool), ()))]
        on_real, on_fake = self.discriminator(real), self.discriminator(shown)
        loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        yield Update("discriminator", loss, {"logit": on_real.mean()})
        yield Update("generator", functional.softplus(-self.discriminator(made)).mean())

    def validate(self) -> dict[str, float]:
        points = self.generator(torch.ones(4, 2))
        return {"distance": float((points - 3).abs().mean())}

    def lr_factor(self, progress: float, optimiser: str) -> float:
        return 1.0 - progress

    def state(self) -> dict[str, list[Tensor]]:
        return {"pool": self.pool}

    def load_state(self, state: dict[str, list[Tensor]]) -> None:
        self.pool = state["pool"]


KINDS: dict[str, Callable[[TrainSettings], Task]] = {"line": LineTask, "pair": PairTask}


class Interruption(Exception):
    """Ends a run in this process as abruptly as Python can."""


def disturb(step: int) -> None:
    """Die, or be interrupted, where a file named after that and the step says so."""
    if Path(f"kill-{step}").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if Path(f"interrupt-{step}").exists():
        raise Interruption


@dataclass
class Workspace:
    """The working directory of a toy stage. KINDS are the tasks that `run` knows."""

    folder: Path
    script: str = __file__
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))

    def set(self, text: str, new: str) -> None:
        """Change the machine settings."""
        path = self.folder / "params.yaml"
        assert text in path.read_text()
        path.write_text(path.read_text().replace(text, new))

    def train(
        self,
        make: str | Callable[[TrainSettings], Task],
        seed: int = 0,
        outlet: Outlet | None = None,
        **changes: Any,
    ) -> Task:
        """Train in this process and return the task; the stage has not succeeded yet."""
        settings = TrainSettings(**(self.settings | changes))
        maker = KINDS[make] if isinstance(make, str) else make
        self.stage = Stage("toy")
        return train(self.stage, settings, seed, lambda: maker(settings), outlet)

    def result(self, task: Task) -> dict[str, bytes]:
        """All that a run leaves: its weights' and its curves' bytes."""
        weights = {
            f"{name}.{key}": value
            for name, network in task.networks.items()
            for key, value in network.state_dict().items()
        }
        curves = sorted((self.folder / "metrics/toy").glob("*.tsv"))
        return {path.name: path.read_bytes() for path in curves} | {"weights": save(weights)}

    def curve(self, name: str) -> list[dict[str, float]]:
        """The rows of a curve."""
        lines = (self.folder / f"metrics/toy/{name}.tsv").read_text().splitlines()
        header, *rows = [line.split("\t") for line in lines]
        tables = [dict(zip(header, row, strict=True)) for row in rows]
        return [{key: float(cell) for key, cell in row.items() if cell} for row in tables]

    def checkpoints(self) -> list[Path]:
        """Checkpoints of all runs, oldest step first."""
        return sorted((self.folder / ".cache").rglob("step-*.pt"), key=lambda path: path.name)

    def interrupt(self, kind: str, step: int, **changes: Any) -> None:
        """Train in this process up to `step`."""
        flag = self.folder / f"interrupt-{step}"
        flag.touch()
        with pytest.raises(Interruption):
            self.train(kind, **changes)
        flag.unlink()


@pytest.fixture(autouse=True)
def torch_settings() -> Iterator[None]:
    """One thread, and torch's global settings as they were afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def make_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Workspace]:
    """Make a workspace in a new folder, and enter it."""
    for name in ("DVC_ROOT", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)

    def make(name: str) -> Workspace:
        folder = tmp_path / name
        folder.mkdir()
        fake.write_params(folder, {"checkpoint_seconds": 0})
        (folder / "dvc.yaml").write_text(DVC_YAML)
        monkeypatch.chdir(folder)
        return Workspace(folder)

    return make


@pytest.fixture
def workspace(make_workspace: Callable[[str], Workspace]) -> Workspace:
    """One workspace."""
    return make_workspace("workspace")


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    Workspace(Path.cwd()).train(sys.argv[2])
