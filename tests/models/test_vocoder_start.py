"""vocoder.init: where training starts, and what comes with the package."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
import yaml

from melodygan.audio.decode import resample, to_mono
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.models.vocoder.magnet.network import PlainSynthesis
from melodygan.models.vocoder.model import load
from melodygan.models.vocoder.start import SHIPPED
from melodygan.models.vocoder.task import scores_of
from melodygan.models.vocoder.training import VocoderTask
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline import Stage, UserError
from melodygan.pipeline.params import parse, read_params
from melodygan.sources.demo import render_track
from melodygan.training.stage import train_stage

SPLITS = ("train", "train", "validation", "test", "test")


def default(group: str, kind: type[Any]) -> Any:
    return parse(kind, read_params(fake.ROOT / "params.yaml")[group], group, "params.yaml")


def write_tracks(project: Path, audio: MelConfig) -> None:
    """Two seconds of noise each."""
    rng = np.random.default_rng(0)
    sounds = [(4000 * rng.standard_normal(2 * audio.sample_rate)).astype(np.int16) for _ in SPLITS]
    tracks = [
        fake.of_sound(f"t{i}", "pop", split, sound, audio)
        for i, (split, sound) in enumerate(zip(SPLITS, sounds, strict=True))
    ]
    fake.write_clean(project / "data/clean", tracks)
    fake.write_features(project / "data/features", tracks, audio)


@pytest.fixture
def data(project: Path) -> Path:
    """Tracks with their sound; the vocoder may read the folder `elsewhere`."""
    write_tracks(project, fake.AUDIO)
    dvc = yaml.safe_load(Path("dvc.yaml").read_text())
    dvc["stages"]["vocoder"]["deps"].append("elsewhere")
    Path("dvc.yaml").write_text(yaml.safe_dump(dvc))
    return project


def stored(make, params, **changes) -> dict[str, torch.Tensor]:
    """Write a vocoder of random weights into the folder `elsewhere`; return the weights."""
    values = params("vocoder", **changes)
    vocoder = make("vocoder", values).trained()
    torch.manual_seed(5)
    for weight in vocoder.network.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    vocoder.save(Path("elsewhere"))
    return {name: value.clone() for name, value in vocoder.network.state_dict().items()}


def same(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_the_default_settings_start_at_the_shipped_weights(project: Path, make) -> None:
    (project / "params.yaml").write_text((fake.ROOT / "params.yaml").read_text())
    write_tracks(project, default("audio", MelConfig))
    values = parse(VocoderTask.params_type, read_params()["vocoder"], "vocoder", "params.yaml")
    assert values.init == "shipped"
    task = make("vocoder", values)
    assert same(task.network, load(SHIPPED, task.audio).network.state_dict())


def test_the_shipped_network_mends_a_track_that_it_never_saw() -> None:
    audio = default("audio", MelConfig)
    vocoder = load(SHIPPED, audio)
    track = render_track("pop", 3, 4.0, seed=2)
    sound = resample(to_mono(track.mix), track.sample_rate, audio.sample_rate)
    sound = sound[: len(sound) // audio.hop_length * audio.hop_length]
    mel = log_mel(sound, audio)
    plain = Vocoder(vocoder.params, audio, PlainSynthesis(audio, vocoder.network.iterations))
    mended, without = (
        scores_of(sound, of.synthesise(mel), audio)["m_stft"] for of in (vocoder, plain)
    )
    assert mended < without - 0.015


def test_the_shipped_weights_are_small_and_say_where_they_are_from() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= 2_000_000
    said = (SHIPPED / "README.md").read_text()
    assert "scripts/train_shipped_vocoder.py" in said and "CC0" in said


def test_another_mel_or_size_starts_from_scratch_and_says_so_in_a_line(
    data: Path, make, params, capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = make("vocoder", params("vocoder")).network.state_dict()
    assert same(make("vocoder", params("vocoder", init="shipped")).network, scratch)
    (line,) = capsys.readouterr().out.splitlines()
    assert "starts from scratch" in line
    assert "sample_rate=22050" in line and f"sample_rate={fake.AUDIO.sample_rate}" in line


def test_training_starts_at_the_weights_of_a_folder(data: Path, make, params) -> None:
    weights = stored(make, params)
    assert same(make("vocoder", params("vocoder", init="elsewhere")).network, weights)
    assert not same(make("vocoder", params("vocoder")).network, weights)


@pytest.mark.parametrize("kind", ["vocos", "hifigan", "melgan"])
def test_every_kind_can_start_at_a_folder(data: Path, make, params, kind: str) -> None:
    weights = stored(make, params, kind=kind)
    assert same(make("vocoder", params("vocoder", kind=kind, init="elsewhere")).network, weights)


def test_a_folder_of_another_network_is_refused_with_both_shown(data: Path, make, params) -> None:
    stored(make, params)
    wider = replace(params("vocoder").magnet, channels=24)
    for changes, said in (
        ({"magnet": wider}, r"channels=16, params\.yaml has channels=24"),
        ({"kind": "vocos"}, r"kind=magnet, params\.yaml has kind=vocos"),
    ):
        with pytest.raises(UserError, match=said):
            make("vocoder", params("vocoder", init="elsewhere", **changes))


def test_a_folder_that_is_no_dependency_is_refused(data: Path, make, params) -> None:
    with pytest.raises(UserError, match=r"add it to stages\.vocoder\.deps"):
        make("vocoder", params("vocoder", init="models/other"))


def test_without_steps_the_vocoder_is_handed_out_as_it_starts(data: Path, make, params) -> None:
    weights = stored(make, params)
    fake.change_params(data, {"vocoder": {"init": "elsewhere", "magnet": {"steps": 0}}})
    train_stage(Stage("vocoder"), VocoderTask)
    assert same(load(data / "models/vocoder", fake.AUDIO).network, weights)
    scores = json.loads((data / "metrics/vocoder.json").read_text())
    assert scores["m_stft"]["value"] != scores["m_stft"]["untrained"]
    said = json.loads((data / "metrics/vocoder/run.json").read_text())["verdict"]
    assert said == "vocoder: nothing to train: vocoder.magnet.steps is 0"
