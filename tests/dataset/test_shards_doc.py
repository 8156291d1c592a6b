"""docs/shards.md: its example runs and its promises hold on what the stages write."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from melodygan.audio.mel import MelConfig
from melodygan.dataset.feature_set import FeatureSet
from melodygan.pipeline.files import read_json, read_rows
from melodygan.pipeline.params import load

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "shards.md").read_text("utf-8")
SHARDS = 2


@pytest.fixture
def folders(make_project: Any, make_song: Any) -> tuple[Path, Path]:
    """data/clean and data/features of two labels in two shards, with two stems."""
    project = make_project("doc")
    for seed, (label, ordinal) in enumerate((("pop", 0), *(("swing", n) for n in range(4)))):
        stems = {stem: make_song(seed, 3.2) for stem in ("vocals", "instrumental")}
        project.add(f"{label}-{ordinal}", label, ordinal, stems)
    clean = project.preprocess(stems=["instrumental", "vocals"], shards=SHARDS)
    return clean, project.features()


def columns(section: str, table: int) -> set[str]:
    """Names in the first column of a section's table."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (part,) = [part for part in text if part.startswith(section)]
    lines = re.findall(r"(?:^\|.*\n)+", part, flags=re.MULTILINE)[table].splitlines()[2:]
    return {name for line in lines for name in re.findall("`(.*?)`", line.split("|")[1])}


def test_the_example_gives_what_the_feature_set_gives(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    wanted = FeatureSet(folders[1], load(MelConfig, "audio")).tracks("train", "swing")
    found = names["training_mels"](Path("data/features"), "swing")
    assert list(found) == [track.track for track in wanted] == ["swing-0", "swing-3"]
    for track, line in zip(wanted, capsys.readouterr().out.splitlines(), strict=True):
        np.testing.assert_array_equal(found[track.track], track.mel)
        assert line.startswith(f"{track.track} {track.mel.shape} ")


def test_tables_name_every_column_and_key(folders: tuple[Path, Path]) -> None:
    clean, features = folders
    left_out = {"file", "rejected"}
    assert columns("data/clean", 0) - left_out == set(read_rows(clean / "index.jsonl")[0])
    assert columns("data/features", 1) == set(read_rows(features / "index.jsonl")[0])
    meta = read_json(features / "meta.json")
    assert columns("data/features", 2) == set(meta)
    for key in meta["audio"]:
        assert f"`{key}`" in PAGE


def test_tracks_lie_where_the_page_says(folders: tuple[Path, Path]) -> None:
    clean, features = folders
    hop = read_json(features / "meta.json")["audio"]["hop_length"]
    ends: dict[tuple[str, int], int] = {}
    rows = zip(read_rows(clean / "index.jsonl"), read_rows(features / "index.jsonl"), strict=True)
    for audio, mel in rows:
        assert audio["track"] == mel["track"] and audio["shard"] == mel["shard"]
        digest = hashlib.sha256(audio["track"].encode()).hexdigest()
        assert audio["shard"] == int(digest[:8], 16) % SHARDS
        assert mel["frames"] == audio["samples"] // hop
        kinds = (
            ("audio", audio["start"], audio["samples"]),
            ("mel", mel["start"], mel["frames"]),
            ("pooled", mel["pooled_start"], mel["pooled_rows"]),
        )
        for kind, start, length in kinds:
            assert start == ends.get((kind, audio["shard"]), 0), "no gaps, in the index's order"
            ends[kind, audio["shard"]] = start + length
        shard = np.load(clean / f"audio-{audio['shard']:02d}.npy")
        samples = shard[audio["start"] : audio["start"] + audio["samples"]]
        assert shard.dtype.str == "<i2" and shard.ndim == 1
        assert hashlib.sha256(samples.tobytes()).hexdigest() == audio["sha256"]
    for (kind, number), end in ends.items():
        folder = clean if kind == "audio" else features
        shard = np.load(folder / f"{kind}-{number:02d}.npy", mmap_mode="r")
        assert len(shard) == end, "and nothing behind the last track"
        assert kind == "audio" or shard.dtype.str == "<f4"
    assert json.loads((clean / "meta.json").read_text("utf-8"))["stems"][0] == "instrumental"
