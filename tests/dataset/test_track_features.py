"""One track's features: the same bytes however they are made, in memory that does not grow."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from melodygan.audio.features import mfcc, pooled
from melodygan.audio.mel import PIECE, MelConfig, log_mel
from melodygan.audio.pcm import from_int16
from melodygan.dataset import features
from melodygan.dataset.features import FeaturesParams, restore_features, track_features
from melodygan.pipeline.files import read_json, read_rows

CONFIG = MelConfig(22050, 64, 16, 64, 12, 0.0, 11025.0)
PARAMS = FeaturesParams(n_mfcc=5, pool_frames=100, pool_hop=30)
DEFAULT = FeaturesParams(n_mfcc=20, pool_frames=256, pool_hop=128)
FILES = ["mel.npy", "mfcc.npy", "pooled.npy", "sums.json"]
START = 7


def write_samples(folder: Path, samples: int) -> Path:
    """A shard that holds noise between what belongs to other tracks."""
    rng = np.random.default_rng(0)
    path = folder / "audio-00.npy"
    np.save(path, rng.integers(-9000, 9000, START + samples + 5).astype(np.int16))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("samples", [16, 1000, 16 * 1000 + 3])
def test_the_files_are_those_of_the_whole_track(tmp_path: Path, samples: int) -> None:
    shard, folder = write_samples(tmp_path, samples), tmp_path / "track"
    folder.mkdir()
    track_features(folder, shard, START, samples, CONFIG, PARAMS)
    mel = log_mel(from_int16(np.load(shard)[START : START + samples]), CONFIG)
    cepstra = mfcc(mel, 5)
    assert sorted(contents(folder)) == FILES
    np.testing.assert_array_equal(np.load(folder / "mel.npy"), mel)
    np.testing.assert_array_equal(np.load(folder / "mfcc.npy"), cepstra)
    vectors = np.load(folder / "pooled.npy")
    np.testing.assert_array_equal(vectors, pooled(mel, cepstra, 100, 30))
    sums = read_json(folder / "sums.json")
    double = mel.astype(np.float64)
    assert sums["count"] == mel.size
    assert sums["sum"] == pytest.approx(double.sum(), rel=1e-12)
    assert sums["squares"] == pytest.approx(np.square(double).sum(), rel=1e-12)


def test_the_size_of_the_pieces_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = 16 * 1000 + 3
    shard, results = write_samples(tmp_path, samples), []
    for piece in (64, 192, 4096):
        monkeypatch.setattr(features, "PIECE", piece)
        folder = tmp_path / str(piece)
        folder.mkdir()
        track_features(folder, shard, START, samples, CONFIG, PARAMS)
        results.append(contents(folder))
    assert results[0] == results[1] == results[2]


def test_a_long_track_needs_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    peaks = []
    for pieces in (2, 12):
        samples = pieces * PIECE * CONFIG.hop_length
        shard = write_samples(tmp_path, samples)
        tracemalloc.start()
        track_features(tmp_path, shard, START, samples, CONFIG, PARAMS)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_results_come_back_out_of_the_stages_output(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean, output = project.preprocess(stems=["instrumental", "vocals"]), project.features()
    monkeypatch.setattr(features, "PIECE", 128)  # several pieces a track
    config = MelConfig(**read_json(output / "meta.json")["audio"])
    rows, sources = read_rows(output / "index.jsonl"), read_rows(clean / "index.jsonl")
    for number, (row, source) in enumerate(zip(rows, sources, strict=True)):
        made, restored = tmp_path / f"made-{number}", tmp_path / f"restored-{number}"
        made.mkdir()
        restored.mkdir()
        shard = clean / f"audio-{source['shard']:02d}.npy"
        track_features(made, shard, source["start"], source["samples"], config, DEFAULT)
        restore_features(row, output, restored)
        assert sorted(contents(made)) == FILES
        assert contents(made) == contents(restored)
