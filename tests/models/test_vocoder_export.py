"""Vocoders as ONNX: the same sound as torch's, or no file."""

from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from melodygan.cli import main
from melodygan.models.vocoder.kinds import NETWORKS
from melodygan.models.vocoder.vocoder import Vocoder


@pytest.mark.parametrize("kind", ["vocos", "melgan", "hifigan"])
def test_exported_vocoders_sound_the_same_at_any_length(project: Path, params, kind: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[kind](params("vocoder"), fake.AUDIO)
    for name, weight in network.named_parameters():
        nn.init.ones_(weight) if name.endswith("original0") else nn.init.normal_(weight, std=0.05)
    vocoder = Vocoder(params("vocoder", kind=kind), fake.AUDIO, network)
    vocoder.save(project / "models/vocoder")
    assert main(["export", "vocoder", "-o", "made.onnx"]) == 0
    session = onnxruntime.InferenceSession("made.onnx")
    for batch, frames in ((1, 5), (3, 77)):
        mel = np.random.default_rng(frames).normal(-5, 1, (batch, 32, frames)).astype(np.float32)
        (made,) = session.run(None, {"mel": mel})
        with torch.no_grad():
            true = network(torch.from_numpy(mel)).numpy()
        assert made.shape == true.shape == (batch, frames * 64)
        assert np.abs(true).max() > 1e-3 and np.abs(made - true).max() <= 1e-5
    card = Path("made.md").read_text()
    assert f"Vocoder ({kind})" in card and "n_mels 32" in card


@pytest.mark.parametrize("kind", ["vocos", "melgan", "hifigan"])
def test_half_precision_saves_two_bytes_a_weight_for_nearly_the_same_sound(
    project: Path, params, kind: str
) -> None:
    torch.manual_seed(0)
    own = getattr(params("vocoder"), kind)
    values = params("vocoder", kind=kind, **{kind: replace(own, channels=64)})
    network = NETWORKS[kind](values, fake.AUDIO)
    for name, weight in network.named_parameters():
        nn.init.ones_(weight) if name.endswith("original0") else nn.init.normal_(weight, std=0.05)
    Vocoder(values, fake.AUDIO, network).save(project / "models/vocoder")
    assert main(["export", "vocoder", "-o", "full.onnx"]) == 0
    assert main(["export", "vocoder", "-o", "half.onnx", "--precision", "fp16"]) == 0
    saved = Path("full.onnx").stat().st_size - Path("half.onnx").stat().st_size
    assert saved > 1.5 * sum(weight.numel() for weight in network.parameters())
    mel = np.random.default_rng(0).normal(-5, 1, (1, 32, 40)).astype(np.float32)
    full, half = (
        onnxruntime.InferenceSession(f"{name}.onnx").run(None, {"mel": mel})[0]
        for name in ("full", "half")
    )
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.01 * np.abs(full).max()
    assert "stored as fp16" in Path("half.md").read_text()


def test_a_vocoder_that_searches_for_its_phases_is_refused(
    project: Path, params, capsys: pytest.CaptureFixture[str]
) -> None:
    network = NETWORKS["magnet"](params("vocoder"), fake.AUDIO)
    Vocoder(params("vocoder"), fake.AUDIO, network).save(project / "models/vocoder")
    assert main(["export", "vocoder", "-o", "made.onnx"]) == 1
    assert "export vocos, melgan or hifigan" in capsys.readouterr().err
    assert not list(Path().glob("made*"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("README.onnx", "README.md is there and is no vocoder's card"),
        ("made.md", "a name that ends in .onnx"),
        ("made", "a name that ends in .onnx"),
        ("nowhere/made.onnx", "nowhere is no folder"),
        ("folder.onnx", "folder.onnx is a folder"),
    ],
)
def test_an_export_replaces_nothing_but_an_earlier_one(
    project: Path, params, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    network = NETWORKS["hifigan"](params("vocoder"), fake.AUDIO)
    Vocoder(params("vocoder", kind="hifigan"), fake.AUDIO, network).save(Path("models/vocoder"))
    Path("README.md").write_text("mine")
    Path("folder.onnx").mkdir()
    before = sorted(Path().iterdir())
    assert main(["export", "vocoder", "-o", name]) == 1
    assert words in capsys.readouterr().err
    assert sorted(Path().iterdir()) == before and Path("README.md").read_text() == "mine"


def test_an_export_that_sounds_different_leaves_no_file(
    project: Path, params, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = NETWORKS["hifigan"](params("vocoder"), fake.AUDIO)
    Vocoder(params("vocoder", kind="hifigan"), fake.AUDIO, network).save(Path("models/vocoder"))
    monkeypatch.setattr("melodygan.models.vocoder.export.PARITY", -1.0)
    assert main(["export", "vocoder", "-o", "made.onnx"]) == 1
    assert "not written, it differs" in capsys.readouterr().err
    assert not list(Path().glob("made*"))
