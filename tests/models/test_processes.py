"""Data-parallel training: two processes learn what one would, also when resumed."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
from safetensors.torch import load_file

from melodygan.pipeline import Stage

STEPS = 12
SIZES = {"steps": STEPS, "batch_size": 8, "validate_every": 6}
TINY = {
    "vqvae": SIZES,
    "latent_gan": SIZES,
    "cyclegan": SIZES | {"batch_size": 2, "pool": 3, "width": 2},
    "runtime": {"checkpoint_seconds": 0},
}


@pytest.fixture
def small(features: Any, project: Path) -> Path:
    """A project with made-up features and tiny models."""
    fake.change_params(project, TINY)
    return project


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(stage: str, processes: int, sabotage: Callable[[], None] = lambda: None) -> list[int]:
    """Run a stage's real script in so many forked processes; their exit statuses.

    They find each other as `accelerate launch` would have them do it. DVC deletes a stage's
    outputs before it runs.
    """
    for output in (f"models/{stage}", f"metrics/{stage}"):
        shutil.rmtree(output, ignore_errors=True)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    children = []
    for rank in range(processes):
        child = os.fork()
        if child == 0:
            if processes > 1:
                ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes}
                os.environ |= address | {name: str(value) for name, value in ranks.items()}
            os._exit(_stage(stage, sabotage))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _stage(stage: str, sabotage: Callable[[], None]) -> int:
    try:
        sabotage()
        spec = importlib.util.spec_from_file_location(stage, fake.ROOT / f"stages/{stage}.py")
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        running = Stage(stage)
        script.main(running)
        running.succeed()
    except SystemExit as end:  # of all processes but the first
        return int(end.code or 0)
    except BaseException:
        return 1
    return 0


def left(stage: str) -> dict[str, Any]:
    """What a run left: curves and weights."""
    curves = {
        name: np.loadtxt(f"metrics/{stage}/{name}.tsv", skiprows=1, ndmin=2)
        for name in ("train", "validation")
    }
    return {"weights": load_file(f"models/{stage}/weights.safetensors"), **curves}


def test_two_processes_learn_what_one_does(small: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for stage in ("vqvae", "latent_gan"):
        assert run(stage, 1) == [0]
        alone = left(stage)
        kept = shutil.copytree(f"models/{stage}", f"kept-{stage}")
        capfd.readouterr()
        assert run(stage, 2) == [0, 0]
        together = left(stage)
        # sums in another order: float tolerance, which grows with the steps
        np.testing.assert_allclose(together["train"], alone["train"], rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(
            together["validation"], alone["validation"], rtol=0.05, atol=0.02
        )
        moved = [(alone["weights"][key], together["weights"][key]) for key in alone["weights"]]
        assert all(np.allclose(a, b, atol=5e-3) for a, b in moved)
        assert capfd.readouterr().out.count(" best ") == 1, "only the first process speaks"
        shutil.rmtree(f"models/{stage}")
        shutil.move(kept, f"models/{stage}")


def test_two_processes_that_are_killed_go_on_with_the_image_pools_of_both(
    small: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("cyclegan", 2) == [0, 0]
    whole = left("cyclegan")
    shutil.rmtree(".cache")

    def die_at_the_ninth_step() -> None:
        from melodygan.training import loop

        original = loop._Run.step

        def step(self: Any, batch: Any) -> None:
            if self.state.step == 8:
                os._exit(9)
            original(self, batch)

        loop._Run.step = step

    assert run("cyclegan", 2, die_at_the_ninth_step) == [9, 9]
    capfd.readouterr()
    assert run("cyclegan", 2) == [0, 0]
    assert "resuming at step 8 of 12" in capfd.readouterr().out
    again = left("cyclegan")
    assert np.array_equal(again["train"], whole["train"])
    assert all((again["weights"][key] == whole["weights"][key]).all() for key in whole["weights"])


@pytest.fixture
def checkout(small: Path) -> Path:
    """The project with the real code and stages, for processes that import it themselves."""
    hidden = shutil.ignore_patterns("__pycache__")
    for name in ("src", "stages"):
        shutil.copytree(fake.ROOT / name, small / name, ignore=hidden)
    shutil.copy(fake.ROOT / "dvc.yaml", small)
    return small


def launch(checkout: Path, processes: int) -> subprocess.CompletedProcess[str]:
    fake.change_params(checkout, {"runtime": {"processes": processes}})
    return subprocess.run(
        [sys.executable, "stages/vqvae.py"],
        cwd=checkout, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


def test_the_stages_script_starts_as_many_processes_as_params_say(checkout: Path) -> None:
    done = launch(checkout, 2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" best ") == 1
    assert (checkout / "models/vqvae/weights.safetensors").exists()


def test_a_batch_that_cannot_be_dealt_out_evenly_is_refused(checkout: Path) -> None:
    done = launch(checkout, 3)
    assert done.returncode == 1
    assert "batch_size 8 is not a multiple of the 3 processes" in done.stderr
