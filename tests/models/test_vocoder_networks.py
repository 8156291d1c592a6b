"""The published vocoders: their sizes, their reach, and that their losses train them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
from torch import nn

from melodygan.audio.layout import to_network
from melodygan.audio.mel import MelConfig
from melodygan.audio.pcm import to_int16
from melodygan.models.vocoder.hifigan.discriminators import MultiPeriod, MultiScale
from melodygan.models.vocoder.hifigan.network import HiFiGAN
from melodygan.models.vocoder.kinds import NETWORKS
from melodygan.models.vocoder.melgan.network import MelGAN
from melodygan.models.vocoder.melgan.network import MultiScale as MelGANMultiScale
from melodygan.models.vocoder.vocoder import Stream, Vocoder
from melodygan.models.vocoder.vocos.network import FastInverse, Inverse, Vocos
from melodygan.pipeline import UserError
from melodygan.training.verdict import verdict

SPEECH = MelConfig(22050, 1024, 256, 1024, 80, 0.0, 8000.0)
EXACT = ("vocos", "melgan", "hifigan")  # kinds of which each sample depends on few frames
NEARER = {"vocos": 0.9, "melgan": 0.99, "hifigan": 0.9}  # what is left of the distance


def size(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("make", "millions", "tensors"),
    [
        (lambda: HiFiGAN(80, 512, [8, 8, 2, 2], 1), 13.936, 234),  # V1
        (lambda: HiFiGAN(80, 128, [8, 8, 2, 2], 1), 0.929, 234),  # V2
        (lambda: HiFiGAN(80, 256, [8, 8, 4], 2), 1.464, 69),  # V3
        (lambda: MelGAN(80, 32, [8, 8, 2, 2]), 4.266, 126),
    ],
    ids=["HiFi-GAN V1", "HiFi-GAN V2", "HiFi-GAN V3", "MelGAN"],
)
def test_generators_have_the_published_tensors(make: Any, millions: float, tensors: int) -> None:
    with torch.device("meta"):
        network = make()
    assert (round(size(network) / 1e6, 3), len(network.state_dict())) == (millions, tensors)


@pytest.mark.parametrize(
    ("make", "millions"),
    [
        (lambda: MultiPeriod(32), 41.1),
        (lambda: MultiScale(32), 29.6),
        (lambda: MelGANMultiScale(16), 16.9),
        (lambda: Vocos(replace(SPEECH, n_mels=100), 512, 8), 13.5),
    ],
    ids=["MPD", "MSD", "MelGAN's", "Vocos"],
)
def test_other_networks_have_the_published_size(make: Any, millions: float) -> None:
    assert size(make()) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.fixture
def sound(project: Path) -> np.ndarray:
    """A project with data/clean and data/features of three sweeps; one of them, int16."""
    time = np.arange(16000) / 8000
    sweeps = [
        to_int16((0.3 * np.sin(2 * np.pi * (hz + 300 * time) * time)).astype(np.float32))
        for hz in (200.0, 400.0, 300.0, 250.0)
    ]
    splits = ("train", "train", "validation", "test")
    tracks = [
        fake.of_sound(f"t{i}", "pop", split, sweep)
        for i, (split, sweep) in enumerate(zip(splits, sweeps, strict=True))
    ]
    fake.write_clean(project / "data/clean", tracks)
    fake.write_features(project / "data/features", tracks)
    return sweeps[3]


def network_of(kind: str, params: Any) -> nn.Module:
    """An untrained network of the kind, with weights at which all that it hears counts."""
    torch.manual_seed(0)
    network = NETWORKS[kind](params("vocoder"), fake.AUDIO).eval()
    for name, weight in network.named_parameters():
        if name.endswith("original0"):  # norms of weights: signals keep their size
            nn.init.ones_(weight)
        else:
            nn.init.normal_(weight, std=0.1)
    return network


@pytest.mark.parametrize("kind", EXACT)
def test_a_sample_depends_on_no_frame_beyond_the_reach(project: Path, params, kind: str) -> None:
    network = network_of(kind, params)
    hop, reach = fake.AUDIO.hop_length, network.reach
    log_mel = torch.randn(1, 32, 4 * reach) - 4
    other = log_mel.clone()
    other[..., 2 * reach] += 3
    with torch.no_grad():
        changed = (network(log_mel) - network(other))[0].abs()
    moved = changed.unflatten(0, (-1, hop)).amax(1).nonzero()[:, 0]
    first, last = int(moved[0]), int(moved[-1])
    assert 2 * reach - reach <= first < 2 * reach < last <= 2 * reach + reach
    assert last - first > reach  # the stated one is not far too long


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("chunk", [1, 7, 60])
def test_a_stream_sounds_like_the_whole_and_lags_by_its_reach(
    project: Path, params, kind: str, chunk: int
) -> None:
    vocoder = Vocoder(params("vocoder", kind=kind), fake.AUDIO, network_of(kind, params))
    mel = np.random.default_rng(0).normal(-4, 1, (80, 32)).astype(np.float32)
    with torch.no_grad():
        whole = vocoder.network(to_network(mel))[0].numpy()
    stream, parts = Stream(vocoder), []
    for start in range(0, 80, chunk):
        parts.append(stream.push(mel[start : start + chunk], last=start + chunk >= 80))
        heard = sum(len(part) for part in parts) // fake.AUDIO.hop_length
        assert heard == (80 if start + chunk >= 80 else max(0, start + chunk - stream.reach))
        assert len(stream.kept) <= 2 * stream.reach + chunk
    assert np.abs(np.concatenate(parts) - whole).max() <= 1e-5 * max(1.0, np.abs(whole).max())
    assert stream.look_ahead == pytest.approx(stream.reach * 64 / 8000)


@pytest.mark.parametrize("kind", EXACT)
def test_long_sounds_in_pieces_are_exact(
    project: Path, params, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocoder = Vocoder(params("vocoder", kind=kind), fake.AUDIO, network_of(kind, params))
    mel = np.random.default_rng(0).normal(-4, 1, (250, 32)).astype(np.float32)
    whole = vocoder.synthesise(mel)
    monkeypatch.setattr("melodygan.models.vocoder.vocoder.PIECE", 100)
    assert np.abs(vocoder.synthesise(mel) - whole).max() <= 1e-5 * max(1.0, np.abs(whole).max())


def test_a_kind_without_a_reach_does_not_stream(project: Path, params) -> None:
    network = NETWORKS["magnet"](params("vocoder"), fake.AUDIO)
    with pytest.raises(ValueError, match="magnet cannot stream"):
        Stream(Vocoder(params("vocoder"), fake.AUDIO, network))


@pytest.mark.parametrize("kind", EXACT)
def test_discriminators_and_distances_train_the_generator(
    sound: np.ndarray, make, params, kind: str
) -> None:
    """A few updates bring the sound's mel nearer to the truth than it was."""
    values = params("vocoder", kind=kind)
    own = replace(getattr(values, kind), discriminator_channels=4, lr=2e-3)
    task = make("vocoder", replace(values, **{kind: own}))
    before = task.validate()["log_mel_l1"]
    for step in range(30):
        names = []
        for update in task.updates(task.batch(np.random.default_rng(step)), step):
            optimiser = task.optimisers[update.optimiser]
            optimiser.zero_grad()
            update.loss.backward()
            optimiser.step()
            names.append(update.optimiser)
            assert {"adversarial", "features"} <= update.logs.keys() or not update.logs
        assert names == ["discriminator", "generator"]
    assert task.validate()["log_mel_l1"] < NEARER[kind] * before


@pytest.mark.parametrize("kind", ["vocos", "hifigan"])
def test_without_discriminators_the_distances_alone_train(
    sound: np.ndarray, trained, params, kind: str
) -> None:
    values = params("vocoder", kind=kind)
    own = replace(getattr(values, kind), steps=40, validate_every=20, lr=2e-3)
    task = trained("vocoder", replace(values, **{kind: own}))
    assert set(task.networks) == {"generator"}
    scores = task.test()["m_stft"]
    assert scores["value"] < 0.9 * scores["untrained"]
    claim = task.claim(task.test())
    assert claim.against == "Griffin-Lim, 32 iterations"
    assert "too little data to judge" in verdict("vocoder", task.outcome, claim), "one test track"


def test_an_untrained_vocos_has_the_magnitudes_of_the_mel(project: Path, params) -> None:
    """So its sound is that of a mel no further off than the random phases make it."""
    network = NETWORKS["vocos"](params("vocoder"), fake.AUDIO)
    assert not network.head.weight[: fake.AUDIO.n_bins].any()
    assert network.head.weight[fake.AUDIO.n_bins :].any()


def test_the_inverse_transform_of_real_numbers_is_that_of_the_fft() -> None:
    magnitude, phase = torch.rand(2, 129, 30), torch.randn(2, 129, 30)
    slow, fast = Inverse(fake.AUDIO)(magnitude, phase), FastInverse(fake.AUDIO)(magnitude, phase)
    assert torch.allclose(slow, fast, atol=1e-5) and slow.shape == (2, 30 * 64)


@pytest.mark.parametrize("kind", ["melgan", "hifigan"])
def test_rates_that_are_not_the_hop_are_refused(project: Path, params, kind: str) -> None:
    values = params("vocoder")
    own = replace(getattr(values, kind), rates=[8, 4])
    with pytest.raises(UserError, match=r"rates \[8, 4\] multiply to 32, but audio.hop_length is"):
        NETWORKS[kind](replace(values, **{kind: own}), fake.AUDIO)
