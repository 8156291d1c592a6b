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
FRAMES = 640
RUNTIME = """
seed: 0
runtime: {device: cpu, precision: fp32, threads: 1, processes: 1, workers: 1,
  track_seconds: 60, backend: local, dask_scheduler: none, loaders: 0, compile: false,
  dvclive: false, tensorboard: false, checkpoint_seconds: 1000}
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
    """A tune in steady time. Drone: held, thin notes. Beat: the notes are struck, and broad."""
    time, band = np.arange(FRAMES)[:, None], np.arange(AUDIO.n_mels)[None, :]
    notes = np.repeat(rng.integers(4, 24, FRAMES // 16), 16)[:, None]
    if label == "drone":
        loud = np.exp(-(((band - notes) / 1.0) ** 2))
    else:
        loud = np.exp(-(time % 16) / 5.0) * np.exp(-np.abs(band - notes) / 6.0)
    mel = LOG_SILENCE + 11.0 * loud + 0.3 * rng.standard_normal((FRAMES, AUDIO.n_mels))
    return np.maximum(mel, LOG_SILENCE).astype(np.float32)
