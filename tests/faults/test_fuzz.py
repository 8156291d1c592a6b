"""More than a thousand mutations of our own files: each is healed, or refused in one line."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from melodygan.audio.mel import MelConfig
from melodygan.dataset.feature_set import FeatureSet
from melodygan.dvc_state import mend
from melodygan.evaluation.index import read_index
from melodygan.evaluation.page import read_run
from melodygan.evaluation.sections import show_settings
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.pipeline.entries import drop, publish, sound
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_json, read_rows, write_json, write_rows
from melodygan.pipeline.hydrate import read_keys
from melodygan.sources.lockfile import Lock, LockedTrack, read_lock, write_lock
from melodygan.training.checkpoint import Checkpoints

ODD = (None, True, -1, 0, 1e308, 10**30, 10**9, "", "\x00", "../../x", [], {}, [[]], {"a": {}})

FOREIGN = (b"", b"PK\x03\x04", b"[" * 100_000, b'{"a": NaN}', b"\x80\x04\x95", b"\xff\xfe")


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Another content: as disks, power cuts, editors and other programs would leave it."""
    kind, size = int(rng.integers(8)), len(content)
    at = int(rng.integers(max(size, 1)))
    if kind == 0:  # one bit
        return (
            content[:at]
            + bytes([(content[at] if size else 0) ^ 1 << int(rng.integers(8))])
            + content[at + 1 :]
        )
    if kind == 1:  # cut short
        return content[:at]
    if kind == 2:  # a hole
        return content[:at] + bytes(min(512, size - at)) + content[at + 512 :]
    if kind == 3:  # something in between
        return content[:at] + rng.bytes(int(rng.integers(1, 100))) + content[at:]
    if kind == 4:  # of another program
        return FOREIGN[at % len(FOREIGN)]
    if kind == 5:  # a part that is missing
        return content[:at] + content[at + int(rng.integers(1, 200)) :]
    return altered(content, rng)


def altered(content: bytes, rng: np.random.Generator) -> bytes:
    """A JSON value somewhere in the file replaced, or a key removed."""
    try:
        lines = content.decode().split("\n")
        whole = len(lines) < 2 or not lines[1].startswith("{")
        value = json.loads(content if whole else lines[0])
    except (ValueError, UnicodeDecodeError):
        return content[::-1]
    place, key = value, None
    while isinstance(place, dict) and place:
        key = sorted(place)[int(rng.integers(len(place)))]
        if not isinstance(place[key], dict) or rng.uniform() < 0.3:
            break
        place = place[key]
    if not isinstance(place, dict) or key is None:
        return b"[]"
    if rng.uniform() < 0.4:
        del place[key]
    else:
        place[key] = ODD[int(rng.integers(len(ODD)))]
    changed = json.dumps(value)
    return (changed if whole else "\n".join([changed, *lines[1:]])).encode()


def damage(folder: Path, rng: np.random.Generator, names: list[str] | None = None) -> None:
    """Mutate one file of a folder, remove it, or put a folder in its place."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [path for path in files if names is None or path.name in names]
    path = files[int(rng.integers(len(files)))]
    content = path.read_bytes()
    while (other := mutate(content, rng)) == content:
        pass
    path.write_bytes(other)
    if (fate := rng.uniform()) < 0.04:
        path.unlink()
    elif fate < 0.08:
        path.unlink()
        path.mkdir()


def one_line(read: Callable[[], Any]) -> Any:
    """What `read` gives; None if it refuses, which must be a UserError of one line."""
    try:
        return read()
    except UserError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return None


def mutations(count: int, good: Path, work: Path) -> Any:
    """`count` times: a fresh copy of `good` at `work`, and a generator to damage it with."""
    for number in range(count):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(good, work)
        yield np.random.default_rng([number, count])


def test_a_damaged_entry_of_the_side_cache_is_no_entry(tmp_path: Path) -> None:
    made = tmp_path / "x.tmp"
    (made / "truth").mkdir(parents=True)
    np.save(made / "mel.npy", np.arange(2000, dtype=np.float32))
    write_json(made / "sums.json", {"count": 3})
    (made / "truth/vocals").write_bytes(b"v" * 100)
    publish(made, tmp_path / "good")
    assert sound(tmp_path / "good")
    for rng in mutations(300, tmp_path / "good", tmp_path / "entry"):
        damage(tmp_path / "entry", rng)
        if sound(tmp_path / "entry"):  # another spelling of the list itself, at most
            for name in ("mel.npy", "sums.json", "truth/vocals"):
                one, two = (tmp_path / place / name for place in ("entry", "good"))
                assert one.read_bytes() == two.read_bytes()
        else:
            drop(tmp_path / "entry")
            assert not (tmp_path / "entry").exists()


def test_a_damaged_checkpoint_falls_back_to_an_older_one_or_to_a_fresh_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    states = {step: {"step": step, "w": {"a": torch.full((50,), float(step))}} for step in (1, 2)}
    with Checkpoints("toy", "run") as checkpoints:
        for step, state in states.items():
            checkpoints.save(step, state)
    shutil.copytree(checkpoints.folder, tmp_path / "good")
    for rng in mutations(250, tmp_path / "good", checkpoints.folder):
        names = ["step-000000002.pt"] if rng.uniform() < 0.8 else None
        damage(checkpoints.folder, rng, names)
        with Checkpoints("toy", "run") as opened:
            capsys.readouterr()
            loaded = opened.load(1000)
            assert loaded is None or torch.equal(loaded["w"]["a"], states[loaded["step"]]["w"]["a"])
            assert loaded is not None or names is None, "one of two was damaged"
            assert len(capsys.readouterr().out.splitlines()) <= 2
            opened.save(3, {"step": 3})


AUDIO = {"sample_rate": 8000, "n_fft": 256, "hop_length": 64, "win_length": 256, "n_mels": 32,
         "fmin": 0.0, "fmax": 4000.0}  # fmt: skip
VQVAE_PARAMS = {
    "steps": 1, "batch_size": 1, "lr": 0.1, "validate_every": 1, "patience": 0, "max_minutes": 0.0,
    "sample_every": 0, "crop": 16, "frames": 32, "stride": 4, "channels": 4, "residual_blocks": 1,
    "codebooks": 1, "codebook_size": 4, "code_dim": 2, "commitment": 0.25, "decay": 0.99,
    "restart_below": 1.0,
}  # fmt: skip


def test_a_damaged_model_is_refused_or_of_finite_weights_of_the_right_shapes(
    tmp_path: Path,
) -> None:
    audio, params = MelConfig(**AUDIO), VQVAEParams(**VQVAE_PARAMS)
    made = TrainedVQVAE(VQVAE(params), params, audio, 0.0, 1.0)
    made.save(tmp_path / "good")
    shapes = {name: value.shape for name, value in made.network.state_dict().items()}
    refused = 0
    for rng in mutations(250, tmp_path / "good", tmp_path / "model"):
        damage(tmp_path / "model", rng)
        model = one_line(lambda: TrainedVQVAE.load(tmp_path / "model", audio))
        if model is None:
            refused += 1
            continue
        weights = model.network.state_dict()
        assert {name: value.shape for name, value in weights.items()} == shapes
        assert all(value.isfinite().all() for value in weights.values())
        assert abs(model.mean) < float("inf") and abs(model.std) < float("inf")
    assert refused > 100


def test_a_damaged_index_is_refused_or_a_table(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    rows = [{"track": f"t-{n}", "label": "x", "start": n, "audio": {"fmin": 0.0}} for n in range(5)]
    write_rows(tmp_path / "good/index.jsonl", rows)
    write_json(tmp_path / "good/meta.json", rows[0])
    write_rows(tmp_path / "good/keys.jsonl", [{"track": f"t-{n}", "key": "0"} for n in range(5)])
    for rng in mutations(150, tmp_path / "good", tmp_path / "data"):
        damage(tmp_path / "data", rng)
        table = one_line(lambda: read_rows(tmp_path / "data/index.jsonl"))
        assert table is None or all(isinstance(row, dict) for row in table)
        one_line(lambda: read_json(tmp_path / "data/meta.json"))
        keys = one_line(lambda: read_keys(tmp_path / "data/keys.jsonl"))
        assert keys is None or all(isinstance(word, str) for pair in keys.items() for word in pair)


def test_damaged_features_are_refused_or_tracks_of_the_right_shape(tmp_path: Path) -> None:
    audio, good = MelConfig(**AUDIO), tmp_path / "good"
    good.mkdir()
    np.save(good / "mel-00.npy", np.ones((200, 32), np.float32))
    rows = [
        {"track": f"t-{n}", "stem": "mix", "label": "x", "split": "train", "shard": 0,
         "start": 50 * n, "frames": 50}
        for n in range(4)
    ]  # fmt: skip
    write_rows(good / "index.jsonl", rows)
    statistics = {"mix": {"mean": 0.0, "std": 1.0}}
    meta = {"audio": AUDIO, "labels": ["x"], "stems": ["mix"], "statistics": statistics}
    write_json(good / "meta.json", meta)
    refused = 0
    for rng in mutations(200, good, tmp_path / "features"):
        damage(tmp_path / "features", rng)
        features = one_line(lambda: FeatureSet(tmp_path / "features", audio))
        tracks = features and one_line(partial(features.tracks, "train"))
        refused += not tracks
        for track in tracks or ():
            assert track.mel.ndim == 2 and track.mel.shape[1] == 32 and len(track.mel) > 0
            assert track.mel.dtype == np.float32 and isinstance(track.label, str)
            assert np.isfinite(features.statistics()).all()
    assert refused > 60


def test_a_damaged_record_of_a_run_or_of_generated_clips_is_refused_or_shown(
    tmp_path: Path,
) -> None:
    good, audio = tmp_path / "good", MelConfig(**AUDIO)
    good.mkdir()
    run = {"verdict": "toy: works", "settings": {"lr": 0.1, "a": {"b": 1}}, "outcome": {"steps": 9}}
    write_json(good / "run.json", run)
    row = {"name": "toy/samples/x", "model": "toy", "kind": "sample", "peak": 0.5, "track": None}
    write_rows(good / "index.jsonl", [row | {"source": None, "label": "x"}] * 3)
    refused = 0
    for rng in mutations(150, good, tmp_path / "made"):
        damage(tmp_path / "made", rng)
        told = one_line(lambda: read_run(tmp_path / "made/run.json"))
        if told is not None:
            assert "".join(show_settings(told))
        clips = one_line(lambda: read_index(tmp_path / "made", audio))
        refused += told is None or clips is None
        for made in (clips or {}).values():
            places = [clip.path for clip in made]
            assert all(place.is_relative_to(tmp_path / "made") for place in places)
            assert not any(".." in place.parts for place in places)
    assert refused > 50


def test_a_damaged_lock_file_is_refused_or_says_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    facts = {"sha256": "0" * 64, "bytes": 9, "duration": 1.5, "suffix": ".wav", "path": "music/a"}
    tracks = [LockedTrack(f"t{n}", "folder", "x", n, "a", **facts) for n in range(3)]
    tracks = [replace(track, path=f"music/{track.track}.wav") for track in tracks]
    made = Lock("1" * 64, {"x": 3}, tracks)
    write_lock(tmp_path / "good/sources.lock.yaml", made)
    refused = 0
    for rng in mutations(200, tmp_path / "good", tmp_path / "data"):
        damage(tmp_path / "data", rng)
        lock = one_line(lambda: read_lock(tmp_path / "data/sources.lock.yaml"))
        assert lock is None or not lock.whole or lock == made
        refused += lock is None
    assert refused > 50


def test_what_dvc_would_refuse_is_set_aside_and_a_sound_file_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "good/.dvc/tmp/rwlock"
    state.parent.mkdir(parents=True)
    entry = {"pid": 1, "cmd": "dvc repro"}
    state.write_text(json.dumps({"write": {"/a/b": entry}, "read": {"/a/c": [entry]}}))
    lock = {"schema": "2.0", "stages": {"a": {"cmd": "x", "outs": [{"path": "a", "md5": "0"}]}}}
    write_json(tmp_path / "good/dvc.lock", lock)
    mend(tmp_path / "good")
    assert capsys.readouterr().err == "" and state.exists()
    for rng in mutations(100, tmp_path / "good", tmp_path / "repo"):
        damage(tmp_path / "repo", rng)
        mend(tmp_path / "repo")
        capsys.readouterr()
        mend(tmp_path / "repo")
        assert capsys.readouterr().err == "", "what is left is sound"
