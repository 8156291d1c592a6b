"""Data-parallel training by `accelerate launch`: two processes learn what one would."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
from safetensors.torch import load_file

Clone = Any
STEPS = 12
TINY = {
    "vqvae": {"steps": STEPS, "batch_size": 8, "validate_every": 6, "frames": 64, "channels": 16,
              "residual_blocks": 1, "codebook_size": 32, "code_dim": 8},
    "latent_gan": {"steps": STEPS, "batch_size": 8, "validate_every": 6, "channels": 8,
                   "noise_dim": 8},
    "runtime": {"device": "cpu", "threads": 1, "checkpoint_seconds": 0},
    "audio": fake.AUDIO.as_dict(),
}  # fmt: skip


@pytest.fixture
def checkout(features: Any, project: Path) -> Path:
    """A project with the real code and stages, and a small made-up data set."""
    for name in ("src", "stages"):
        shutil.copytree(
            fake.ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(fake.ROOT / "dvc.yaml", project)
    shutil.copy(fake.ROOT / "params.yaml", project)
    fake.change_params(project, TINY)
    return project


def run(checkout: Path, stage: str, processes: int) -> dict[str, Any]:
    """Run a stage's script; what it left."""
    path = checkout / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("processes: 1", f"processes: {processes}"))
    done = subprocess.run(
        [sys.executable, f"stages/{stage}.py"],
        cwd=checkout, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    path.write_text(text)
    assert done.returncode == 0, done.stdout + done.stderr
    curves = {
        name: np.loadtxt(checkout / f"metrics/{stage}/{name}.tsv", skiprows=1, ndmin=2)
        for name in ("train", "validation")
    }
    weights = load_file(checkout / f"models/{stage}/weights.safetensors")
    return {"output": done.stdout, "weights": weights, **curves}


def test_two_processes_learn_what_one_does(checkout: Path) -> None:
    for stage in ("vqvae", "latent_gan"):
        alone = run(checkout, stage, 1)
        model = checkout / f"models/{stage}"
        kept = model.rename(checkout / f"kept-{stage}")
        shutil.rmtree(checkout / "metrics")
        together = run(checkout, stage, 2)
        # sums in another order: float tolerance, which grows with the steps
        np.testing.assert_allclose(together["train"], alone["train"], rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(
            together["validation"], alone["validation"], rtol=0.05, atol=0.02
        )
        moved = [(alone["weights"][key], together["weights"][key]) for key in alone["weights"]]
        assert all(np.allclose(a, b, atol=5e-3) for a, b in moved)
        assert together["output"].count("best") == 1, "only the first process speaks"
        shutil.rmtree(model)
        kept.rename(model)


def test_a_batch_that_cannot_be_dealt_out_evenly_is_refused(checkout: Path) -> None:
    path = checkout / "params.yaml"
    path.write_text(path.read_text().replace("processes: 1", "processes: 3"))
    done = subprocess.run(
        [sys.executable, "stages/vqvae.py"],
        cwd=checkout, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 1
    assert "batch_size 8 is not a multiple of the 3 processes" in done.stderr
