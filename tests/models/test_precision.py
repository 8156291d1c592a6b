"""Reduced precision and compilation: the same training, up to what they may round differently."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
from torch import nn

from melodygan.audio.pcm import to_int16
from melodygan.dataset.feature_set import FeatureSet
from melodygan.pipeline import Stage
from melodygan.training.loop import train

STEPS = 10  # one row of the curve; later ones differ by what a GAN makes of a small difference


@pytest.fixture
def losses(features: FeatureSet, make: Any, params: Any, project: Path) -> Callable[..., Any]:
    """Train a model with changed machine settings; its mean losses by name."""
    rng = np.random.default_rng(0)
    sounds = [to_int16(rng.normal(0, 0.1, 8000).astype(np.float32)) for _ in range(3)]
    splits = ("train", "train", "validation")
    tracks = [
        fake.of_sound(f"t{i}", "beat", split, sound)
        for i, (split, sound) in enumerate(zip(splits, sounds, strict=True))
    ]
    fake.write_clean(project / "data/clean", tracks)
    vqvae = make("vqvae", params("vqvae"))
    vqvae.trained().save(Path("models/vqvae"))
    make("autoencoder", params("autoencoder")).trained().save(Path("models/autoencoder"))

    def run(model: str, **machine: Any) -> dict[str, float]:
        fake.change_params(project, {"runtime": fake.RUNTIME | machine})
        values = params(model)
        settings = getattr(values, values.kind) if hasattr(values, "kind") else values
        task = train(Stage(model), settings, 0, lambda: make(model, values))
        assert task.outcome.steps == STEPS
        curve = np.genfromtxt(f"metrics/{model}/train.tsv", names=True)
        names = curve.dtype.names or ()
        return {name: float(curve[name]) for name in names if name.endswith("_loss")}

    return run


@pytest.mark.parametrize("model", fake.MODELS)
def test_losses_in_bfloat16_stay_within_two_per_cent(
    model: str, losses: Callable[..., dict[str, float]]
) -> None:
    full, half = losses(model), losses(model, precision="bf16")
    assert full.keys() == half.keys() and full
    for name, loss in full.items():
        assert half[name] != loss  # else it was not in use
        # a Wasserstein loss is a difference, near zero at the start
        assert half[name] == pytest.approx(loss, rel=0.02, abs=1e-3)


@pytest.mark.parametrize(
    ("model", "precision"), [("vocoder", "fp32"), ("vocoder", "bf16"), ("cyclegan", "bf16")]
)
def test_losses_of_compiled_networks_are_the_same(
    model: str,
    precision: str,
    losses: Callable[..., dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = losses(model, precision=precision)
    # everything but the code generator, whose C++ takes a minute to compile
    compiled = []
    compile_module = nn.Module.compile
    monkeypatch.setattr(
        nn.Module,
        "compile",
        lambda module: (compiled.append(module), compile_module(module, backend="aot_eager")),
    )
    made = losses(model, precision=precision, compile=True)
    assert made == pytest.approx(plain, rel=1e-3 if precision == "fp32" else 0.02)
    assert compiled
