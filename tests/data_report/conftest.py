"""Made-up data/clean and data/features, as the stages would write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from melodygan.audio.mel import MelConfig
from melodygan.data_report.facts import Facts, read_facts
from melodygan.data_report.page import write_page
from melodygan.dataset.feature_set import FeatureSet
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.pipeline.files import write_json, write_rows
from melodygan.pipeline.params import load

Row = dict[str, Any]
PARAMS_YAML = Path(__file__).resolve().parents[2] / "params.yaml"
RATE = 22050
FRAMES = 400


@dataclass
class Data:
    """A folder with data/clean and data/features; the mel of all tracks is the same noise."""

    root: Path

    def __post_init__(self) -> None:
        self.audio = load(MelConfig, "audio", PARAMS_YAML)
        self.params = load(PreprocessParams, "preprocess", PARAMS_YAML)

    @staticmethod
    def row(track: str, label: str = "rock", split: str = "train", **changes: Any) -> Row:
        """A track of 60 s that was 75 s and -20 LUFS, and reached the target."""
        row = {
            "track": track,
            "stem": "instrumental",
            "label": label,
            "split": split,
            "shard": 0,
            "start": 0,
            "samples": 60 * RATE,
            "loudness_before_lufs": -20.0,
            "loudness_after_lufs": -23.0,
            "gain_db": -3.0,
            "seconds_before": 75.0,
        }
        return row | changes

    @staticmethod
    def reject(file: str, reason: str) -> Row:
        """A track that was left out."""
        return {"track": "gone", "file": file, "rejected": reason}

    def good(self, *labels: str) -> list[Row]:
        """One track of each split for each label."""
        splits = ("train", "test", "validation")
        return [self.row(f"{x}-{i}", x, s) for x in labels for i, s in enumerate(splits)]

    def write(self, rows: Sequence[Row]) -> None:
        """Write both folders for the index `rows` of data/clean."""
        clean, features = self.root / "clean", self.root / "features"
        accepted = [row for row in rows if "rejected" not in row]
        stems = sorted({row["stem"] for row in accepted}) or ["instrumental"]
        write_rows(clean / "index.jsonl", rows)
        write_json(clean / "meta.json", {"sample_rate": RATE, "stems": stems})
        keys = ("track", "stem", "label", "split", "shard", "start")
        index = [{key: row[key] for key in keys} | {"frames": FRAMES} for row in accepted]
        write_rows(features / "index.jsonl", index)
        labels = sorted({row["label"] for row in accepted})
        statistics = {stem: {"mean": -5.0, "std": 2.0} for stem in stems}
        meta = {"labels": labels, "stems": stems, "statistics": statistics}
        write_json(features / "meta.json", {"audio": self.audio.as_dict(), **meta})
        noise = np.random.default_rng(0).normal(-5, 2, (FRAMES, self.audio.n_mels))
        np.save(features / "mel-00.npy", noise.astype(np.float32))

    def facts(self, rows: Sequence[Row]) -> Facts:
        """The facts of an index."""
        self.write(rows)
        return read_facts(self.root / "clean", self.params)

    def page(self, rows: Sequence[Row]) -> str:
        """The page about an index."""
        self.write(rows)
        path = self.root / "data.html"
        features = FeatureSet(self.root / "features", self.audio)
        write_page(path, self.root / "clean", features, self.params)
        return path.read_text("utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """An empty folder for made-up data."""
    return Data(tmp_path)
