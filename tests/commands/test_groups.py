"""What several groups of params.yaml cannot be together, known before the first stage."""

import shutil
from pathlib import Path
from typing import Any

import fake
import pytest
import torch

from melodygan.audio.stft import batch_log_mel
from melodygan.commands.groups import COMPARED, check_params, complaints_about
from melodygan.pipeline.errors import UserError
from melodygan.scores.audio import RESOLUTIONS, multi_resolution_stft
from melodygan.sources.lock import lock
from melodygan.sources.lockfile import read_lock

PARAMS = Path("params.yaml")
Changes = dict[str, Any]


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with this repository's params.yaml."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(fake.ROOT / PARAMS, tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"audio": {"n_mels": 100}}, "audio.n_mels 100 must be a multiple of vqvae.stride, 8"),
        ({"audio": {"n_mels": 16}}, "audio.n_mels 16 must be at least 24, for the discriminators"),
        ({"audio": {"n_mels": 400}}, "mel bands have no frequency"),
        (
            {"audio": {"n_fft": 65536}, "preprocess": {"min_seconds": 1.0}},
            "audio.n_fft 65536 is too long for tracks of preprocess.min_seconds",
        ),
        ({"vqvae": {"stride": 6}, "wgan_gp": {"space": "mel"}}, "must be a multiple"),
        ({"features": {"n_mfcc": 129}}, "features.n_mfcc must be at most"),
        ({"runtime": {"processes": 3}}, "must be a multiple of runtime.processes"),
        ({"separate": {"enabled": False}, "preprocess": {"stems": ["vocals"]}}, "separate.enabled"),
        ({"pix2pix": {"task": "vocals"}}, "pix2pix.task is vocals"),
        (
            {"latent_prior": {"autoregressive": {"transpose": 128}}},
            "latent_prior.autoregressive.transpose must be less than",
        ),
        (
            {"latent_gan": {"components": 33}},
            "latent_gan.components must be at most vqvae.code_dim",
        ),
        (
            {"latent_prior": {"kind": "flow", "flow": {"components": 33}}},
            "latent_prior.flow.components must be at most vqvae.code_dim",
        ),
        ({"wgan_gp": {"components": 33}}, "wgan_gp.components must be at most vqvae.code_dim, 32"),
        ({"wgan_gp": {"frames": 260}}, "wgan_gp.frames must be a multiple of vqvae.stride, 8"),
        (
            {"vocoder": {"kind": "melgan", "melgan": {"rates": [8, 8, 2]}}},
            r"vocoder.melgan.rates \[8, 8, 2\] multiply to 128, but audio.hop_length is 256",
        ),
        ({"vocoder": {"kind": "hifigan"}, "audio": {"hop_length": 128}}, "vocoder.hifigan.rates"),
    ],
)
def test_what_cannot_go_together_is_told(changes: Changes, words: str) -> None:
    fake.change_params(Path(), changes)
    with pytest.raises(UserError, match=words):
        check_params(PARAMS)


@pytest.mark.parametrize(
    "changes",
    [
        {"vqvae": {"stride": 64}},
        {"cyclegan": {"transpose": 31}},
        {"wgan_gp": {"components": 33, "space": "mel", "frames": 260}},
        {"audio": {"hop_length": 128}},  # the rates of kinds that are not chosen
        {"vocoder": {"kind": "griffinlim"}},
    ],
)
def test_what_can_is_not(changes: Changes) -> None:
    fake.change_params(Path(), changes)
    check_params(PARAMS)


def test_crops_are_as_long_as_what_they_are_compared_in() -> None:
    assert max(RESOLUTIONS) == COMPARED
    for frames in (16, 17):
        vocoder = {"kind": "vocos", "vocos": {"frames": frames}}
        fake.change_params(Path(), {"audio": {"hop_length": 64}, "vocoder": vocoder})
        sound = torch.rand(1, frames * 64)
        if frames == 16:
            with pytest.raises(UserError, match=r"vocoder.vocos.frames must be at least 17"):
                check_params(PARAMS)
            with pytest.raises(RuntimeError, match="Padding size"):
                multi_resolution_stft(sound, sound)
        else:
            audio = check_params(PARAMS)["audio"]
            assert multi_resolution_stft(sound, sound) == 0
            assert batch_log_mel(sound, audio).isfinite().all()


@pytest.mark.parametrize(("hears", "least"), [("truth", 12), ("vqvae", 20)])
def test_crops_that_magnet_would_refuse_are_told(hears: str, least: int) -> None:
    audio = {"n_fft": 2048, "win_length": 1024}
    vocoder = {"hears": hears, "magnet": {"frames": least}}
    fake.change_params(Path(), {"audio": audio, "vocoder": vocoder})
    check_params(PARAMS)
    fake.change_params(Path(), {"vocoder": {"magnet": {"frames": least - 1}}})
    with pytest.raises(UserError, match=rf"vocoder.magnet.frames must be at least {least}"):
        check_params(PARAMS)


@pytest.mark.parametrize(
    ("tracks", "changes", "words"),
    [
        (4, {}, "no label has three tracks"),
        (6, {"cyclegan": {"labels": ["swing", "jazz"]}}, "cyclegan.labels has jazz, of which"),
        (5, {"cyclegan": {"labels": ["swing", "pop"]}}, "cyclegan.labels has pop, of which"),
        (6, {"cyclegan": {"labels": ["swing", "pop"]}}, None),
        (
            6,
            {"cyclegan": {"frames": 512}},
            "cyclegan.frames, lengthened by cyclegan.stretch, is longer than any track: 6.5 s of",
        ),
        (6, {"cyclegan": {"frames": 344, "stretch": 0.0}}, None),
        (
            6,
            {"cyclegan": {"frames": 345, "stretch": 0.0}},
            "cyclegan.frames is longer than any track",
        ),
        (6, {"pix2pix": {"frames": 344}}, None),
        (6, {"pix2pix": {"frames": 345}}, "pix2pix.frames is longer than any track"),
        (6, {"pix2pix": {"frames": 345}, "separate": {"enabled": False}}, None),
        (5, {"cyclegan": {"frames": 512}}, None),  # one label has three tracks, so none is learnt
        (6, {"vqvae": {"frames": 512}}, "vqvae.frames is longer than any track"),
        (
            6,
            {"latent_prior": {"autoregressive": {"columns": 64}}},
            "latent_prior.autoregressive.columns is longer than any",
        ),
        (6, {"vocoder": {"magnet": {"frames": 400}}}, "vocoder.magnet.frames is longer"),
        (6, {"vocoder": {"vocos": {"frames": 400}}}, None),
        (6, {"preprocess": {"min_seconds": 5.0}}, "preprocess.min_seconds is longer than any"),
    ],
)
def test_tracks_that_a_stage_cannot_be_done_with_are_told(
    tracks: int, changes: Changes, words: str | None
) -> None:
    Path("data").mkdir()
    places = Path("data/sources.yaml"), Path("data/sources.lock.yaml")
    places[0].write_text(f"sources:\n  - demo: {{tracks: {tracks}, seconds: 4}}\n")
    lock(*places)
    fake.change_params(Path(), changes)
    told = list(complaints_about(read_lock(places[1]).tracks, check_params(PARAMS)))
    assert len(told) == (words is not None)
    assert words is None or told[0].startswith(words)
