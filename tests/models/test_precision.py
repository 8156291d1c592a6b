"""Reduced precision and compilation: the same training, up to what they may round differently."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from melodygan.audio.pcm import to_int16
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.training import CycleGANTask
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.training import LatentGANTask
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.training import VocoderTask
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.models.vqvae.training import VQVAETask
from melodygan.pipeline import Stage
from melodygan.pipeline.files import write_rows
from melodygan.training.loop import train
from melodygan.training.task import Task

STEPS = 10  # one row of the curve; later ones differ by what a GAN makes of a small difference
COMMON: dict[str, Any] = {
    "steps": STEPS, "batch_size": 4, "lr": 1e-3, "validate_every": STEPS, "patience": 0,
    "max_minutes": 0.0, "sample_every": 0,
}  # fmt: skip
VQVAE_PARAMS = VQVAEParams(
    **COMMON, frames=64, channels=16, residual_blocks=1, downsamplings=3, codebook_size=32,
    code_dim=8, commitment=0.25, decay=0.9, restart_below=0.5,
)  # fmt: skip
PARAMS = {
    "vqvae": VQVAE_PARAMS,
    "latent_gan": LatentGANParams(
        **COMMON, noise_dim=8, channels=8, penalty=10.0, penalty_every=4, average_decay=0.9
    ),
    "cyclegan": CycleGANParams(
        **COMMON, labels=[], frames=32, width=4, blocks=1, cycle=10.0, identity=5.0, pool=8
    ),
    "vocoder": VocoderParams(
        **COMMON | {"lr": 1e-2}, kind="magnet", frames=32, channels=16, blocks=2, iterations=4
    ),
}


def make_task(model: str, features: FeatureSet) -> Task:
    params = PARAMS[model]
    if isinstance(params, VQVAEParams):
        return VQVAETask(params, features)
    if isinstance(params, CycleGANParams):
        return CycleGANTask(params, features, ("beat", "drone"), 0)
    if isinstance(params, VocoderParams):
        return VocoderTask(params, features, Path("data/clean"))
    vqvae = TrainedVQVAE(VQVAE(VQVAE_PARAMS), VQVAE_PARAMS, features.audio, *features.statistics())
    return LatentGANTask(params, features, vqvae, 0)


@pytest.fixture
def losses(features: FeatureSet) -> Callable[..., dict[str, float]]:
    """Train a model with changed machine settings; its mean losses by name."""
    rng = np.random.default_rng(0)
    length = 8000
    tracks = [
        {"track": f"t{i}", "stem": "mix", "label": "beat", "split": split, "shard": 0}
        | {"start": i * length, "samples": length}
        for i, split in enumerate(["train", "train", "validation"])
    ]
    Path("data/clean").mkdir()
    noise = rng.normal(0, 0.1, len(tracks) * length).astype(np.float32)
    np.save("data/clean/audio-00.npy", to_int16(noise))
    write_rows(Path("data/clean/index.jsonl"), tracks)
    file = Path("params.yaml")
    plain = file.read_text()

    def run(model: str, **machine: str) -> dict[str, float]:
        text = plain
        for key, value in machine.items():
            text = re.sub(rf"\b{key}: \w+", f"{key}: {value}", text)
        file.write_text(text)
        task = train(Stage(model), PARAMS[model], 0, lambda: make_task(model, features))
        assert task.outcome.steps == STEPS
        curve = np.genfromtxt(f"metrics/{model}/train.tsv", names=True)
        names = curve.dtype.names or ()
        return {name: float(curve[name]) for name in names if name.endswith("_loss")}

    return run


@pytest.mark.parametrize("model", PARAMS)
def test_losses_in_bfloat16_stay_within_two_per_cent(
    model: str, losses: Callable[..., dict[str, float]]
) -> None:
    full, half = losses(model), losses(model, precision="bf16")
    assert full.keys() == half.keys() and full
    for name, loss in full.items():
        assert half[name] != loss  # else it was not in use
        assert half[name] == pytest.approx(loss, rel=0.02)


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
    made = losses(model, precision=precision, compile="true")
    assert made == pytest.approx(plain, rel=1e-3 if precision == "fp32" else 0.02)
    assert compiled
