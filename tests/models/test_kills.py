"""Real models, killed at random moments again and again, end in the bytes of an unkilled run."""

import importlib.util
import io
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
import torch._dynamo  # optimisers import it: once here, not in every forked process

from melodygan.pipeline import Stage
from melodygan.training import loop

STEPS = 45
KILLS = {"vqvae": 20, "latent_gan": 8, "latent_prior": 8, "cyclegan": 8}  # spread over the steps
COMMON = {"steps": STEPS, "batch_size": 2, "validate_every": 15, "sample_every": 20}
TINY = {
    "vqvae": {**COMMON, "frames": 32, "crop": 16, "channels": 8, "residual_blocks": 1,
              "codebook_size": 16, "code_dim": 4},
    "latent_gan": {**COMMON, "channels": 4, "components": 4, "noise_dim": 4},
    "latent_prior": {"autoregressive": {**COMMON, "columns": 4, "channels": 16, "layers": 1}},
    "cyclegan": {**COMMON, "frames": 32, "width": 2, "blocks": 1, "pool": 3, "batch_size": 1},
    "runtime": {"device": "cpu", "threads": 1, "checkpoint_seconds": 0},
    "audio": fake.AUDIO.as_dict(),
}  # fmt: skip


@pytest.fixture
def small(features: Any, project: Path) -> Path:
    """A project with made-up features and tiny models."""
    shutil.copy(fake.ROOT / "params.yaml", project)
    fake.change_params(project, TINY)
    return project


def attempt(stage: str, sabotage: Callable[[], None]) -> int:
    """Run a stage's real script in a forked process; its exit status, negative for a signal.

    DVC deletes a stage's outputs before it runs.
    """
    for output in (f"models/{stage}", f"metrics/{stage}"):
        shutil.rmtree(output, ignore_errors=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sabotage()
            place = fake.ROOT / f"stages/{stage}.py"
            spec = importlib.util.spec_from_file_location(stage, place)
            script = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(script)
            running = Stage(stage)
            script.main(running)
            running.succeed()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def outputs(stage: str) -> dict[str, bytes]:
    files = [Path(f"metrics/{stage}.json"), *Path(f"models/{stage}").rglob("*")]
    files += Path(f"metrics/{stage}").rglob("*")
    return {path.as_posix(): path.read_bytes() for path in files if path.is_file()}


def within_a_step(rng: np.random.Generator, kills: int) -> Callable[[], None]:
    """Die some steps on, at any moment of a step, its validation or its checkpoint."""
    steps, delay = int(rng.integers(1, 2 * STEPS // kills)), float(rng.uniform(1e-4, 0.05))

    def sabotage() -> None:
        original, left = loop._Run.step, [steps]

        def step(self: Any, batch: Any) -> None:
            left[0] -= 1
            if left[0] == 0:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends a process as SIGKILL does
                signal.setitimer(signal.ITIMER_REAL, delay)
            original(self, batch)

        loop._Run.step = step

    return sabotage


def within_a_checkpoint(rng: np.random.Generator, _kills: int) -> Callable[[], None]:
    """Die in the second checkpoint, after a random part of its bytes."""
    share = float(rng.uniform())

    def sabotage() -> None:
        original, left = torch.save, [2]

        def save(state: Any, file: Any) -> None:
            left[0] -= 1
            if left[0] == 0:
                buffer = io.BytesIO()
                original(state, buffer)
                file.write(buffer.getvalue()[: int(share * len(buffer.getvalue()))])
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            original(state, file)

        torch.save = save

    return sabotage


@pytest.mark.parametrize("stage", KILLS)
def test_a_stage_killed_at_random_moments_ends_in_the_same_bytes(
    small: Path, stage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if stage.startswith("latent"):
        assert attempt("vqvae", lambda: None) == 0
    assert attempt(stage, lambda: None) == 0
    whole = outputs(stage)
    assert any(name.endswith(".safetensors") for name in whole)
    assert any("samples/step-0000040" in name for name in whole)
    finished = Path(f".cache/checkpoints/{stage}")
    assert len(list(finished.rglob("*.pt"))) == 1, "what a finished run needs to end again"
    shutil.rmtree(finished)
    rng = np.random.default_rng(len(stage))
    kills = 0
    capfd.readouterr()
    while kills < KILLS[stage]:
        sabotage = (within_a_checkpoint if kills % 4 == 3 else within_a_step)(rng, KILLS[stage])
        if status := attempt(stage, sabotage):
            assert status in (-signal.SIGALRM, -signal.SIGKILL)
            kills += 1
        else:  # it came to its end in between; the next one is to start from nothing
            assert outputs(stage) == whole
            shutil.rmtree(finished)
    assert attempt(stage, lambda: None) == 0
    assert outputs(stage) == whole
    resumed = capfd.readouterr().out.count("resuming at step")
    assert resumed >= KILLS[stage] // 2, "most runs went on from a checkpoint"
