"""A checkout with the real code and a small made-up data set, in which a page's code can run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import fake
import numpy as np
import pytest

from melodygan.audio.mel import LOG_SILENCE, MelConfig

FRAMES = 200  # of a track
AUDIO = MelConfig(8000, 256, 64, 256, 24, 0.0, 4000.0)


@pytest.fixture(scope="session")
def make_checkout() -> Callable[[Path], Path]:
    """Make in an empty folder a checkout: the code, dvc.yaml, params.yaml for tiny features, and
    those features, without git.
    """
    return _make_checkout


def _make_checkout(tmp_path: Path) -> Path:
    hidden = shutil.ignore_patterns("__pycache__")
    for name in ("src", "stages", "tests/pipeline"):
        shutil.copytree(fake.ROOT / name, tmp_path / name, ignore=hidden)
    shutil.copy(fake.ROOT / "dvc.yaml", tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    shutil.copy(fake.ROOT / "params.yaml", tmp_path)
    changes = {"audio": AUDIO.as_dict(), "runtime": {"device": "cpu", "threads": 1}}
    fake.change_params(tmp_path, changes)
    make_data(tmp_path / "data")
    return tmp_path


def make_data(folder: Path) -> None:
    """Held notes, one tune a track: four tracks to train on, two of each other split.

    The sound is only as long as the features, not what they were made from.
    """
    rng = np.random.default_rng(0)
    notes = np.repeat(rng.integers(2, 14, len(fake.SPLITS) * FRAMES // 20), 20)[:, None]
    loud = np.exp(-((np.arange(AUDIO.n_mels) - notes) ** 2))
    mels = np.split((LOG_SILENCE + 10.0 * loud).astype(np.float32), len(fake.SPLITS))
    hum = 3000 * np.sin(np.arange(FRAMES * AUDIO.hop_length) / 5)
    sound = hum.astype(np.int16)
    tracks = [
        fake.FakeTrack(f"t{i}", "tune", split, mel, sound)
        for i, (split, mel) in enumerate(zip(fake.SPLITS, mels, strict=True))
    ]
    fake.write_features(folder / "features", tracks, AUDIO)
    fake.write_clean(folder / "clean", tracks)
