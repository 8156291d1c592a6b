import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.pipeline.files import read_rows, sha256_file, write_rows
from melodygan.separation.stage_work import quantise, separate_file
from melodygan.sources.demo import LABELS, render_track

ROOT = Path(__file__).parents[2]
PARAMS = """
separate: {{enabled: {enabled}, model: demo}}
runtime: {{device: cpu, precision: fp32, threads: 1, processes: 1, workers: 1,
  track_seconds: 60, backend: local, dask_scheduler: none, loaders: 0, compile: false,
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


def test_the_stage_writes_stems_rejects_and_scores(project: Path) -> None:
    index, metrics = _run(project, "true")
    demo, mono, broken = index["b-demo"], index["a-mono"], index["c-broken"]
    stems = {stem: project / "data/stems" / name for stem, name in demo["stems"].items()}
    assert {stem: sha256_file(path) for stem, path in stems.items()} == demo["sha256"]
    vocals, instrumental = (soundfile.read(stems[s], dtype="int16")[0] for s in sorted(stems)[::-1])
    original = soundfile.read(project / "data/raw/b-demo.wav", dtype="int16")[0]
    np.testing.assert_array_equal(vocals.astype(int) + instrumental, original)
    info = soundfile.info(project / "data/stems" / mono["stems"]["vocals"])
    assert (info.samplerate, info.channels, info.frames) == (44100, 2, round(1.5 * 44100))
    assert broken["rejected"] and "stems" not in broken
    assert str(project) not in broken["rejected"]
    gain = metrics["si_sdr_improvement_db"]
    assert (metrics["tracks"], metrics["scored"]) == (3, 1)
    assert gain["mean"] == gain["min"] == pytest.approx((gain["vocals"] + gain["instrumental"]) / 2)
    assert gain["mean"] > 5


def test_a_disabled_stage_passes_the_mixes_through(project: Path) -> None:
    index, metrics = _run(project, "false")
    assert index["b-demo"]["stems"] == {"mix": "b-demo.mix.flac"}
    passed = soundfile.read(project / "data/stems/b-demo.mix.flac", dtype="int16")[0]
    original = soundfile.read(project / "data/raw/b-demo.wav", dtype="int16")[0]
    np.testing.assert_array_equal(passed, original)
    assert metrics == {"tracks": 3, "scored": 0}


def test_a_track_done_twice_has_the_same_bytes(project: Path, tmp_path: Path) -> None:
    hashes = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        separate_file(folder, str(project / "data/raw/b-demo.wav"), None, None, "demo")
        hashes.append({path.name: sha256_file(path) for path in folder.iterdir()})
    assert hashes[0] == hashes[1]
    assert hashes[0].keys() == {"vocals.flac", "instrumental.flac", "result.json"}


@settings(deadline=None)
@given(st.floats(0, 4), st.floats(0, 4))
def test_stems_in_16_bit_never_clip_and_sum_to_the_mix(first: float, second: float) -> None:
    random = np.random.default_rng(0)
    vocals, rest = (
        (gain * random.uniform(-1, 1, (300, 2))).astype(np.float32) for gain in (first, second)
    )
    stems = quantise({"vocals": vocals, "instrumental": rest})
    total = stems["vocals"].astype(int) + stems["instrumental"]
    peak = max(np.abs(x).max() for x in (vocals, rest, vocals + rest))
    gain = 32768 * min(1.0, 32766 / 32768 / max(peak, 1e-9))
    assert np.abs(total).max() <= 32767
    for stem, exact in (("vocals", vocals), ("instrumental", rest)):
        np.testing.assert_allclose(stems[stem], exact * gain, atol=1.1)
    np.testing.assert_allclose(total, (vocals + rest) * gain, atol=0.6)
