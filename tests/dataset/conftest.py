"""A small project folder with separated stems in it, as the stages find them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from melodygan.audio.clipping import clipped_fraction
from melodygan.audio.mel import MelConfig
from melodygan.dataset.features import FeaturesParams, make_features
from melodygan.dataset.preprocess import PreprocessParams, preprocess
from melodygan.pipeline import Stage
from melodygan.pipeline.files import sha256_file, write_rows
from melodygan.pipeline.packing import pack
from melodygan.pipeline.params import load

ROOT = Path(__file__).resolve().parents[2]
RATE = 44100
Stems = dict[str, NDArray[np.float32]]

DVC_YAML = """
stages:
  preprocess: {cmd: "true", deps: [data/stems]}
  features: {cmd: "true", deps: [data/clean]}
"""


def song(seed: int, seconds: float = 4.0, loudness: float = 0.2) -> NDArray[np.float32]:
    """Decaying notes in stereo at 44.1 kHz, other ones for each seed; shape (samples, 2)."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE // 4) / RATE
    notes = [
        np.sin(2 * np.pi * 220 * 2 ** (rng.integers(0, 24) / 12) * time) * np.exp(-4 * time)
        for _ in range(round(seconds * 4))
    ]
    left = np.concatenate(notes) * loudness
    return np.stack([left, 0.8 * left], axis=1).astype(np.float32)


@dataclass
class Project:
    """The stems of `tracks` in data/stems, and the two stages run on them."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    packed: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, track: str, label: str, ordinal: int, stems: Stems, rate: int = RATE) -> None:
        """Write one track's stems into its tar file, and its row of the index."""
        flacs = Path("flac")
        flacs.mkdir(exist_ok=True)
        shard = ordinal % 2
        stems_row: dict[str, Any] = {}
        for stem, audio in stems.items():
            name = f"{track}.{stem}.flac"
            soundfile.write(flacs / name, audio, rate, subtype="PCM_16")
            stems_row[stem] = {"name": name, "shard": shard}
        self.packed.setdefault(shard, []).extend(stems_row.values())
        hashes = {stem: sha256_file(flacs / place["name"]) for stem, place in stems_row.items()}
        lengths = {len(audio) for audio in stems.values()}
        mix = sum(stems.values()) if len(lengths) == 1 else next(iter(stems.values()))
        self.add_row(
            track, label, ordinal, stems=stems_row, sha256=hashes, clipped=clipped_fraction(mix)
        )
        self.pack(shard)

    def pack(self, shard: int) -> None:
        """Write the tar file of a shard anew, and the index with it."""
        places = self.packed[shard]
        members = [(place["name"], Path("flac") / place["name"]) for place in places]
        extents = pack(Path(f"data/stems/stems-{shard:02d}.tar"), members)
        for place, (offset, size) in zip(places, extents, strict=True):
            place |= {"offset": offset, "bytes": size}
        write_rows(Path("data/stems/index.jsonl"), self.rows)

    def add_row(self, track: str, label: str, ordinal: int, **columns: Any) -> None:
        """Add a row to the index of stems."""
        row = {"track": track, "label": label, "ordinal": ordinal, "file": f"{track}.mp3"}
        self.rows.append(row | {"title": track, "licence": "CC0-1.0"} | columns)
        write_rows(Path("data/stems/index.jsonl"), self.rows)

    def preprocess(self, **changes: Any) -> Path:
        """Run the preprocess stage, of one stem and with parameters changed; returns data/clean."""
        params = load(PreprocessParams, "preprocess")
        params = PreprocessParams(**(params.__dict__ | {"stems": ["instrumental"]} | changes))
        audio = load(MelConfig, "audio")
        clean = Path("data/clean")
        metrics = Path("metrics/preprocess.json")
        preprocess(
            Stage("preprocess"), params, audio.sample_rate, Path("data/stems"), clean, metrics
        )
        return clean

    def features(self, **changes: Any) -> Path:
        """Run the features stage; returns data/features."""
        params = load(FeaturesParams, "features")
        params = FeaturesParams(**(params.__dict__ | changes))
        target = Path("data/features")
        audio = load(MelConfig, "audio")
        make_features(Stage("features"), params, audio, Path("data/clean"), target)
        return target


@pytest.fixture
def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Project]:
    """Make an empty project in a new folder and enter it."""

    def make(name: str) -> Project:
        folder = tmp_path / name
        (folder / "data" / "stems").mkdir(parents=True)
        text = (ROOT / "params.yaml").read_text("utf-8")
        # starting worker processes would take longer than all the work of a test
        (folder / "params.yaml").write_text(re.sub(r"workers: \d+", "workers: 1", text), "utf-8")
        (folder / "dvc.yaml").write_text(DVC_YAML)
        monkeypatch.chdir(folder)
        return Project()

    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return make


@pytest.fixture
def make_song() -> Callable[..., NDArray[np.float32]]:
    """The function `song`."""
    return song


@pytest.fixture
def project(make_project: Callable[[str], Project]) -> Project:
    """Three tracks of one label, with vocals in the second half."""
    new = make_project("project")
    for ordinal in range(3):
        music = song(ordinal)
        voice = song(100 + ordinal, loudness=0.1)
        voice[: len(voice) // 2] = 0
        new.add(f"rock-{ordinal}", "rock", ordinal, {"vocals": voice, "instrumental": music})
    return new
