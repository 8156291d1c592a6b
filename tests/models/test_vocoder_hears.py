"""vocoder.hears: trained on what another model makes of training tracks, with the true sound."""

import json
from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import pytest
import torch
import yaml

from melodygan.audio.layout import from_network
from melodygan.audio.mel import log_mel
from melodygan.audio.pcm import from_int16, to_int16
from melodygan.blocks.scale import Scale
from melodygan.models.cyclegan.model import TrainedCycleGAN, make_generator
from melodygan.models.vocoder.hears import NEEDS, Crops, hearing
from melodygan.models.vocoder.model import load
from melodygan.models.vocoder.training import VocoderTask
from melodygan.pipeline import Stage, UserError
from melodygan.training.data import Data
from melodygan.training.stage import train_stage

SPLITS = ("train", "train", "validation", "test", "test")
EDGE = 2  # frames at a crop's ends whose windows reach beyond it


def sweep(hz: float) -> np.ndarray:
    """2 s of two gliding tones, int16."""
    time = np.arange(16000) / 8000
    tones = [np.sin(2 * np.pi * (k * hz + 200 * time) * time) / k for k in (1, 3)]
    return to_int16((0.2 * sum(tones)).astype(np.float32))


@pytest.fixture
def data(project: Path) -> Data:
    """Tracks of the labels beat and drone with their sound; the vocoder may read every model."""
    tracks = [
        fake.of_sound(f"{label}{i}", label, split, sweep(200 + 40 * i + 90 * j))
        for j, label in enumerate(("beat", "drone"))
        for i, split in enumerate(SPLITS)
    ]
    fake.write_clean(project / "data/clean", tracks)
    fake.write_features(project / "data/features", tracks)
    dvc = yaml.safe_load(Path("dvc.yaml").read_text())
    dvc["stages"]["vocoder"]["deps"] += [dep for deps in NEEDS.values() for dep in deps]
    Path("dvc.yaml").write_text(yaml.safe_dump(dvc))
    return Data("vocoder")


def write_cyclegan(params, directions: list[tuple[str, str]]) -> None:
    """An untrained one, whose generators change what they hear."""
    own = params("cyclegan", residual=False)
    generators = {way: make_generator(own, fake.AUDIO.n_mels) for way in directions}
    TrainedCycleGAN(generators, own, fake.AUDIO, Scale.of(-4.0, 2.0)).save(Path("models/cyclegan"))


@pytest.mark.parametrize("hears", NEEDS)
def test_a_model_that_dvc_yaml_does_not_name_is_refused_with_the_lines_to_add(
    project: Path, make, params, hears: str
) -> None:
    with pytest.raises(UserError, match=r"to stages\.vocoder\.deps in dvc\.yaml") as error:
        make("vocoder", params("vocoder", hears=hears))
    said = str(error.value)
    assert len(said.splitlines()) == 1 and all(dep in said for dep in NEEDS[hears])


def test_what_is_heard_lies_where_the_sound_does(data: Data) -> None:
    crops = Crops(data, lambda log_mel, label: log_mel + (label == "beat"))
    batch = crops.batch(64, 16, np.random.default_rng(0))
    assert batch["audio"].shape == (64, 16 * 64) and batch["mel"].shape == (64, 32, 16)
    offsets = set()
    for audio, mel in zip(batch["audio"].numpy(), from_network(batch["mel"]), strict=True):
        apart = (mel - log_mel(audio, fake.AUDIO))[EDGE:-EDGE]
        assert np.abs(apart - round(apart.mean())).max() < 1e-3
        offsets.add(round(apart.mean()))
    assert offsets == {0, 1}, "tracks of both labels"


def test_tracks_that_are_not_heard_are_left_out(data: Data) -> None:
    crops = Crops(data, lambda log_mel, label: log_mel + 1 if label == "beat" else None)
    audio, mel = crops.batch(64, 16, np.random.default_rng(0)).values()
    assert {
        round((heard - log_mel(sound, fake.AUDIO))[EDGE:-EDGE].mean())
        for sound, heard in zip(audio.numpy(), from_network(mel), strict=True)
    } == {1}
    with pytest.raises(UserError, match="converts the label of no train track"):
        Crops(data, lambda log_mel, label: None)


def test_the_round_trip_of_the_vqvae_is_heard_and_judged(data: Data, trained, params) -> None:
    """It is a crude VQ-VAE; a vocoder that knows it makes more of what it gives."""
    trained("vqvae", params("vqvae", steps=20, validate_every=20))
    fake.change_params(
        Path(), {"vocoder": {"hears": "vqvae", "magnet": {"steps": 60, "validate_every": 30}}}
    )
    train_stage(Stage("vocoder"), VocoderTask)
    scores = json.loads(Path("metrics/vocoder.json").read_text())
    heard, true = scores["heard_m_stft"], scores["m_stft"]
    assert true["untrained"] < heard["value"] < 0.95 * heard["untrained"]
    said = json.loads(Path("metrics/vocoder/run.json").read_text())["verdict"]
    assert said.startswith(f"vocoder: heard_m_stft {heard['value']:.4g}")
    loaded = load(Path("models/vocoder"), fake.AUDIO)
    assert loaded.params.hears == "vqvae" and not loaded.network.true_mel


def test_the_cyclegan_is_heard_there_and_back(data: Data, params) -> None:
    torch.manual_seed(0)
    write_cyclegan(params, [("beat", "drone"), ("drone", "beat")])
    gan = TrainedCycleGAN.load(Path("models/cyclegan"), fake.AUDIO)
    heard = hearing("cyclegan", data)
    mel = log_mel(from_int16(sweep(300)), fake.AUDIO)
    there = gan.convert(mel, "drone", "beat")
    assert np.array_equal(heard(mel, "drone"), gan.convert(there, "beat", "drone"))
    assert not np.allclose(heard(mel, "drone"), heard(mel, "beat"), atol=0.1)
    assert heard(mel, "waltz") is None


@pytest.mark.parametrize("kind", ["magnet", "vocos"])
def test_every_way_of_training_hears_the_other_mel(data: Data, make, params, kind: str) -> None:
    """A loss of the same weights on the same sound moves with what is heard of it."""
    torch.manual_seed(0)
    write_cyclegan(params, [("beat", "drone"), ("drone", "beat")])

    def loss(mel: torch.Tensor | None) -> float:
        batch = {"audio": torch.from_numpy(from_int16(sweep(300))[None, : 32 * 64])}
        if mel is not None:
            batch["mel"] = mel
        return next(iter(task.updates(batch, 0))).loss.item()

    task = make("vocoder", replace(params("vocoder", hears="cyclegan"), kind=kind))
    assert task.batch(np.random.default_rng(0)).keys() == {"audio", "mel"}
    assert loss(torch.full((1, 32, 32), -6.0)) != loss(torch.full((1, 32, 32), -2.0)) != loss(None)
