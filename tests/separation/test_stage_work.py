import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from melodygan.pipeline.entries import SUMS
from melodygan.pipeline.files import read_rows, sha256_file, write_rows
from melodygan.separation import track
from melodygan.separation.sample import RATE, SECONDS, loudest, write_sample
from melodygan.separation.separate import StemSeparator
from melodygan.separation.stage_work import restore_stems
from melodygan.separation.track import separate_file
from melodygan.sources.demo import LABELS, render_track

ROOT = Path(__file__).parents[2]
PARAMS = """
separate: {{enabled: {enabled}, model: demo, shards: 2}}
runtime: {{device: cpu, precision: fp32, threads: 1, processes: 1, workers: 1,
  track_seconds: 600, backend: local, dask_scheduler: none, loaders: 0, compile: false,
  dvclive: false, tensorboard: false, checkpoint_seconds: 20}}
"""
STAGES = "stages: {separate: {cmd: python stages/separate.py, deps: [src/melodygan, stages]}}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with one demo track, a cut of a mono file, and a file that is not audio."""
    for folder in ("src", "stages"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    raw = tmp_path / "data/raw"
    (raw / "truth").mkdir(parents=True)
    demo = render_track(LABELS[0], 0, 4.0, 0)
    soundfile.write(raw / "b-demo.wav", demo.mix, 44100, subtype="PCM_16")
    soundfile.write(raw / "truth/b-demo.vocals.flac", demo.vocals, 44100, subtype="PCM_16")
    soundfile.write(raw / "a-mono.wav", demo.mix[::2, 0], 22050, subtype="PCM_16")
    (raw / "c-broken.wav").write_text("This is not audio.")
    truth = {"vocals": "truth/b-demo.vocals.flac"}
    rows = [_row(raw, "b-demo", truth=truth), _row(raw, "a-mono", start=1.0, end=2.5)]
    write_rows(raw / "index.jsonl", [*rows, _row(raw, "c-broken")])
    (tmp_path / "dvc.yaml").write_text(STAGES)
    return tmp_path


def _row(raw: Path, track: str, **columns: Any) -> dict[str, Any]:
    file = f"{track}.wav"
    row = {"track": track, "label": "x", "ordinal": 0, "file": file, "title": track}
    row |= {"licence": "CC0-1.0", "source": "folder", "start": None, "end": None, "truth": None}
    return row | {"sha256": sha256_file(raw / file)} | columns


def _run(project: Path, enabled: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the real stage; return its index by track and its metrics."""
    (project / "params.yaml").write_text(PARAMS.format(enabled=enabled))
    command = [sys.executable, "stages/separate.py"]
    environment = os.environ | {"DVC_STAGE": "separate", "DVC_ROOT": str(project)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = read_rows(project / "data/stems/index.jsonl")
    assert [row["track"] for row in rows] == ["a-mono", "b-demo", "c-broken"]
    metrics = json.loads((project / "metrics/separate.json").read_text())
    return {row["track"]: row for row in rows}, metrics


def _flacs(stems: Path, row: dict[str, Any]) -> dict[str, bytes]:
    """A track's FLACs by stem, cut out of the tar files as the index says."""
    found = {}
    for stem, place in row["stems"].items():
        data = (stems / f"stems-{place['shard']:02d}.tar").read_bytes()
        found[stem] = data[place["offset"] :][: place["bytes"]]
    return found


def _int16(flac: bytes) -> NDArray[np.int16]:
    samples: NDArray[np.int16] = soundfile.read(io.BytesIO(flac), dtype="int16")[0]
    return samples


def test_the_stage_writes_stems_rejects_and_scores(project: Path) -> None:
    index, metrics = _run(project, "true")
    demo, mono, broken = index["b-demo"], index["a-mono"], index["c-broken"]
    stems = _flacs(project / "data/stems", demo)
    hashes = {stem: hashlib.sha256(flac).hexdigest() for stem, flac in stems.items()}
    assert hashes == demo["sha256"]
    original = soundfile.read(project / "data/raw/b-demo.wav", dtype="int16")[0]
    total = _int16(stems["vocals"]).astype(int) + _int16(stems["instrumental"])
    np.testing.assert_array_equal(total, original)
    info = soundfile.info(io.BytesIO(_flacs(project / "data/stems", mono)["vocals"]))
    assert (info.samplerate, info.channels, info.frames) == (44100, 2, round(1.5 * 44100))
    assert demo["clipped"] == mono["clipped"] == 0
    assert broken["rejected"] and not {"stems", "sha256", "clipped"} & broken.keys()
    assert str(project) not in broken["rejected"]
    gain = metrics["si_sdr_improvement_db"]
    assert (metrics["tracks"], metrics["scored"]) == (3, 1)
    assert gain["mean"] == gain["min"] == pytest.approx((gain["vocals"] + gain["instrumental"]) / 2)
    assert gain["mean"] > 5
    _the_sample_is_of_the_collection(project)
    _the_side_cache_comes_back(project, list(index.values()))


def _the_sample_is_of_the_collection(project: Path) -> None:
    """True stems go first, and neither the order of the rows nor an earlier sample counts."""
    raw, stems, folder = (project / name for name in ("data/raw", "data/stems", "metrics/separate"))
    said = json.loads((folder / "sample.json").read_text())
    assert said["track"] == "b-demo"
    assert list(said["files"]) == sorted(said["files"])
    sounds = {what: soundfile.read(folder / file)[0] for what, file in said["files"].items()}
    assert sounds.keys() == {
        "mixture", "true vocals", "vocals", "true instrumental", "instrumental",
    }  # fmt: skip
    for stem in ("vocals", "instrumental"):
        true, missed = sounds[f"true {stem}"], sounds[f"true {stem}"] - sounds[stem]
        assert np.std(missed) < 0.5 * np.std(true)
        assert np.std(sounds["mixture"] - true) > np.std(missed)
    once = _bytes(folder)
    rows = read_rows(raw / "index.jsonl")
    write_rows(raw / "index.jsonl", rows[::-1])
    write_sample(raw, stems, folder)
    assert _bytes(folder) == once
    write_rows(raw / "index.jsonl", [row | {"truth": None} for row in rows])
    write_sample(raw, stems, folder)
    said = json.loads((folder / "sample.json").read_text())
    assert said["track"] == "a-mono"
    assert said["files"].keys() == {"mixture", "vocals", "instrumental"}
    write_rows(raw / "index.jsonl", rows)


def test_the_sample_is_where_most_is_sung(tmp_path: Path) -> None:
    vocals = np.zeros(25 * RATE, np.float32)
    vocals[13 * RATE : 20 * RATE] = 0.1
    vocals[100] = 1.0  # a click is not singing
    cut = loudest({"vocals": np.ones_like(vocals), "true vocals": vocals})
    assert len(cut["vocals"]) == SECONDS * RATE
    assert cut["true vocals"].sum() == pytest.approx(0.1 * 7 * RATE)
    short = loudest({"vocals": vocals[:50]})
    assert len(short["vocals"]) == 50


def _the_side_cache_comes_back(project: Path, index: list[dict[str, Any]]) -> None:
    """Each folder that `separate_file` left is restored from data/stems, byte for byte."""
    restored = []
    for row in index:
        folder = project / "restored" / row["track"]
        folder.mkdir(parents=True)
        restore_stems(row, project / "data/stems", folder)
        restored.append(_bytes(folder))
    made = [_bytes(folder) for folder in (project / ".cache/tracks/separate").iterdir()]
    assert len(made) == len(restored) and all(files in made for files in restored)
    assert [sorted(files) for files in restored] == [
        ["instrumental.flac", "result.json", "vocals.flac"],
        ["instrumental.flac", "result.json", "vocals.flac"],
        ["result.json"],
    ]


def _bytes(folder: Path) -> dict[str, bytes]:
    """All files but the side cache's own."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != SUMS}


def test_a_disabled_stage_passes_the_mixes_through(project: Path) -> None:
    index, metrics = _run(project, "false")
    assert index["b-demo"]["stems"].keys() == {"mix"}
    passed = _int16(_flacs(project / "data/stems", index["b-demo"])["mix"])
    original = soundfile.read(project / "data/raw/b-demo.wav", dtype="int16")[0]
    np.testing.assert_array_equal(passed, original)
    assert metrics == {"tracks": 3, "scored": 0}
    assert _bytes(project / "metrics/separate").keys() == {"sample.json"}
    assert json.loads((project / "metrics/separate/sample.json").read_text()) == {}


def test_the_tar_files_do_not_depend_on_the_order_of_the_work(project: Path) -> None:
    _run(project, "false")
    stems = project / "data/stems"
    once = _bytes(stems)
    for name in once.keys() - {"index.jsonl"}:
        with tarfile.open(stems / name) as reader:
            names = reader.getnames()
        assert names == sorted(names)
    rows = read_rows(project / "data/raw/index.jsonl")
    write_rows(project / "data/raw/index.jsonl", rows[::-1])
    shutil.rmtree(project / ".cache")
    _run(project, "false")
    assert _bytes(stems) == once


def test_a_track_done_twice_has_the_same_bytes(
    project: Path,
    tmp_path: Path,
    demo_separator: StemSeparator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(track, "_separator", lambda _: demo_separator)
    results = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        separate_file(folder, str(project / "data/raw/b-demo.wav"), None, None, "demo")
        results.append(_bytes(folder))
    assert results[0] == results[1]
    assert results[0].keys() == {"vocals.flac", "instrumental.flac", "result.json"}
