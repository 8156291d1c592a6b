"""A small made-up data set of two styles, laid out as data/features, in a project of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.dataset.feature_set import FeatureSet
from melodygan.pipeline import Stage
from melodygan.pipeline.files import write_json, write_rows

AUDIO = MelConfig(
    sample_rate=8000, n_fft=256, hop_length=64, win_length=256, n_mels=32, fmin=0.0, fmax=4000.0
)
FRAMES = 320
RUNTIME = """
seed: 0
runtime: {device: cpu, precision: fp32, threads: 1, workers: 1, checkpoint_seconds: 1000}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a stage of any model can run."""
    torch.set_num_threads(1)
    names = ["vqvae", "latent_gan", "cyclegan", "vocoder"]
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n" + "".join(f"  {name}: {{cmd: x, deps: []}}\n" for name in names)
    )
    (tmp_path / "params.yaml").write_text(RUNTIME)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return tmp_path


@pytest.fixture
def stage(project: Path):
    """Make the stage of a name."""
    return Stage


@pytest.fixture
def features(project: Path) -> FeatureSet:
    """Four train, two validation and two test tracks of each of the labels beat and drone."""
    return make_features(project / "data/features", ["beat", "drone"])


@pytest.fixture
def one_label(project: Path) -> FeatureSet:
    """The same with a single label."""
    return make_features(project / "data/features", ["drone"])


def make_features(folder: Path, labels: list[str]) -> FeatureSet:
    folder.mkdir(parents=True)
    splits = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    rows, mels = [], []
    for label in labels:
        for number, split in enumerate(splits):
            rng = np.random.default_rng([number, len(label)])
            mels.append(_mel(label, rng))
            row = {"track": f"{label}-{number}", "stem": "mix", "label": label, "split": split}
            rows.append(row | {"shard": 0, "start": (len(mels) - 1) * FRAMES, "frames": FRAMES})
    mel = np.concatenate(mels)
    np.save(folder / "mel-00.npy", mel)
    write_rows(folder / "index.jsonl", rows)
    statistics = {"mix": {"mean": float(mel.mean()), "std": float(mel.std())}}
    meta = {"audio": AUDIO.as_dict(), "labels": labels, "stems": ["mix"], "statistics": statistics}
    write_json(folder / "meta.json", meta)
    return FeatureSet(folder, AUDIO)


def _mel(label: str, rng: np.random.Generator) -> np.ndarray:
    """Drone: held notes that change now and then. Beat: broad-band strokes in a fixed pulse."""
    time, band = np.arange(FRAMES)[:, None], np.arange(AUDIO.n_mels)[None, :]
    if label == "drone":
        notes = np.repeat(rng.integers(2, 14, FRAMES // 40), 40)[:, None]
        loud = sum(np.exp(-(((band - k * notes) / 0.8) ** 2)) / k for k in (1, 2))
    else:
        period = rng.integers(14, 20)
        decay = np.exp(-((time + rng.integers(period)) % period) / 4.0)
        loud = decay * np.exp(-band / rng.uniform(10, 20))
    mel = (
        LOG_SILENCE + 11.0 * np.clip(loud, 0, 1) + 0.3 * rng.standard_normal((FRAMES, AUDIO.n_mels))
    )
    return np.maximum(mel, LOG_SILENCE).astype(np.float32)
