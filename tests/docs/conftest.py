"""A checkout with the real code and a small made-up data set, in which a page's code can run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from melodygan.audio.mel import LOG_SILENCE
from melodygan.pipeline.files import write_json, write_rows

ROOT = Path(__file__).parents[2]
FRAMES = 200  # of a track
AUDIO = {
    "sample_rate": 8000, "n_fft": 256, "hop_length": 64, "win_length": 256, "n_mels": 16,
    "fmin": 0.0, "fmax": 4000.0,
}  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The code, dvc.yaml, params.yaml for tiny features, and those features, without git."""
    hidden = shutil.ignore_patterns("__pycache__")
    for name in ("src", "stages", "tests/pipeline"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=hidden)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["audio"].update(AUDIO)
    params["runtime"].update({"device": "cpu", "threads": 1})
    yaml.dump(params, tmp_path / "params.yaml")
    make_features(tmp_path / "data/features")
    return tmp_path


def make_features(folder: Path) -> None:
    """Held notes, one tune a track: four tracks to train on, two of each other split."""
    folder.mkdir(parents=True)
    splits = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    rng = np.random.default_rng(0)
    notes = np.repeat(rng.integers(2, 14, len(splits) * FRAMES // 20), 20)[:, None]
    loud = np.exp(-((np.arange(AUDIO["n_mels"]) - notes) ** 2))
    mel = (LOG_SILENCE + 10.0 * loud).astype(np.float32)
    np.save(folder / "mel-00.npy", mel)
    rows = [
        {"track": f"t{i}", "stem": "mix", "label": "tune", "split": split, "shard": 0,
         "start": i * FRAMES, "frames": FRAMES}
        for i, split in enumerate(splits)
    ]  # fmt: skip
    write_rows(folder / "index.jsonl", rows)
    statistics = {"mix": {"mean": float(mel.mean()), "std": float(mel.std())}}
    meta = {"audio": AUDIO, "labels": ["tune"], "stems": ["mix"], "statistics": statistics}
    write_json(folder / "meta.json", meta)
