"""The features stage on a small real project."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.audio.features import mfcc
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_json, read_rows
from melodygan.pipeline.params import load


def shard(folder: Path, kind: str, row: dict[str, Any]) -> NDArray[Any]:
    return np.load(folder / f"{kind}-{row['shard']:02d}.npy", mmap_mode="r")


def test_every_clean_track_has_its_features_where_the_index_says(project: Any) -> None:
    clean, features = project.preprocess(stems=["instrumental", "vocals"]), project.features()
    config = load(MelConfig, "audio")
    rows = read_rows(features / "index.jsonl")
    assert len(rows) == 6
    for row, source in zip(rows, read_rows(clean / "index.jsonl"), strict=True):
        assert all(row[k] == source[k] for k in ("track", "stem", "label", "split", "shard"))
        audio = shard(clean, "audio", source)[source["start"] :][: source["samples"]]
        expected = log_mel(audio.astype(np.float32) / np.float32(32767), config)
        frames = slice(row["start"], row["start"] + row["frames"])
        np.testing.assert_array_equal(shard(features, "mel", row)[frames], expected)
        np.testing.assert_array_equal(shard(features, "mfcc", row)[frames], mfcc(expected, 20))
        pooled = shard(features, "pooled", row)[row["pooled_start"] :][: row["pooled_rows"]]
        assert pooled.shape == (1 + (row["frames"] - 256) // 128, 296)
        np.testing.assert_allclose(pooled[0, :128], expected[:256].mean(axis=0), atol=1e-4)


def test_statistics_are_those_of_the_train_split(project: Any) -> None:
    project.preprocess(stems=["instrumental", "vocals"])
    features = project.features()
    meta = read_json(features / "meta.json")
    assert meta["labels"] == ["rock"]
    assert meta["stems"] == ["instrumental", "vocals"]
    assert meta["audio"] == load(MelConfig, "audio").as_dict()
    for stem in ("instrumental", "vocals"):
        train = [
            shard(features, "mel", row)[row["start"] :][: row["frames"]]
            for row in read_rows(features / "index.jsonl")
            if (row["stem"], row["split"]) == (stem, "train")
        ]
        values = np.concatenate(train).astype(np.float64)
        assert meta["statistics"][stem]["mean"] == pytest.approx(values.mean(), rel=1e-9)
        assert meta["statistics"][stem]["std"] == pytest.approx(values.std(), rel=1e-6)


def test_a_second_run_does_no_work_and_gives_the_same_bytes(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    project.preprocess()
    results = []
    for _ in range(2):
        folder = project.features()
        results.append(
            {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*")}
        )
    assert results[0] == results[1]
    assert "0 of 3 tracks to do" in capsys.readouterr().out


def test_rejected_tracks_have_no_features(project: Any) -> None:
    project.add_row("broken", "rock", 3, rejected="not decodable audio")
    project.preprocess()
    assert {row["track"] for row in read_rows(project.features() / "index.jsonl")} == {
        "rock-0",
        "rock-1",
        "rock-2",
    }


def test_clean_audio_at_another_rate_is_refused(project: Any) -> None:
    project.preprocess()
    params = Path("params.yaml")
    text = params.read_text().replace("sample_rate: 22050", "sample_rate: 24000")
    params.write_text(text)
    with pytest.raises(UserError, match=r"22050 Hz, audio.sample_rate is 24000"):
        project.features()
    assert not Path("data/features").exists()


def test_more_mfcc_than_mel_bands_are_refused(project: Any) -> None:
    project.preprocess()
    with pytest.raises(UserError, match="no more MFCC than mel bands"):
        project.features(n_mfcc=129)


def test_a_data_set_without_training_tracks_is_refused(
    make_project: Callable[[str], Any],
) -> None:
    project = make_project("test-only")
    time = np.arange(44100 * 4) / 44100
    tone = 0.1 * np.sin(2 * np.pi * 440 * time).astype(np.float32)
    project.add("a", "rock", 1, {"mix": np.stack([tone, tone], axis=1)})
    project.preprocess()
    with pytest.raises(UserError, match="no instrumental track is in the train split"):
        project.features()
