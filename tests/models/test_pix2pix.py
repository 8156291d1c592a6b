"""Pix2Pix: the published network, learning a stem, and every way in which it must be told no."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import mel_filterbank
from melodygan.audio.pcm import to_int16
from melodygan.blocks.scale import Scale
from melodygan.blocks.unet import UNet
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.pix2pix.model import TrainedPix2Pix, make_generator
from melodygan.models.pix2pix.network import Generator, levels_of
from melodygan.models.pix2pix.scores import AverageMask, StemScores, masked
from melodygan.pipeline import UserError
from melodygan.separation.si_sdr import si_sdr
from melodygan.training import loop
from melodygan.training.data import Data
from melodygan.training.verdict import Claim, Outcome, verdict

Float = NDArray[np.float32]
RATE = fake.AUDIO.sample_rate
SAMPLES = 4 * RATE
LEARNING = {"steps": 120, "lr": 3e-3, "validate_every": 60, "width": 8}
ONE_WAY = ("mix", "instrumental")
UNFINISHED = Outcome(0, 0, None, "", 0, False, ())


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_full_size_is_that_of_the_published_network() -> None:
    assert levels_of(128, 256) == 7
    net = UNet(64, 7, 0.5)
    weights = sum(p.numel() for p in net.parameters() if p.ndim == 4)
    assert round(weights / 1e6, 1) == 41.8
    assert sum(isinstance(m, torch.nn.Dropout) for m in net.modules()) == 3
    assert not isinstance(net.down[0][-1], torch.nn.InstanceNorm2d)


@pytest.mark.parametrize("size", [(128, 64, 6), (80, 256, 6), (32, 32, 5)])
def test_depth_follows_the_patch_and_any_size_keeps_its_shape(size: tuple[int, int, int]) -> None:
    n_mels, frames, levels = size
    assert levels_of(n_mels, frames) == levels
    generator = Generator(2, levels, 0.5, False, 1.0)
    assert len(generator.unet.down) == len(generator.unet.up) == levels
    for width in (frames, frames + 5, 1):
        mel = torch.rand(1, 1, n_mels, width)
        assert generator.eval()(mel).shape == mel.shape


@torch.no_grad()
def test_a_mask_makes_nothing_louder_and_a_direct_answer_may(params) -> None:
    mix = torch.rand(2, 1, 32, 64) * 2 - 1
    mask, direct = (
        make_generator(params("pix2pix", output=output), fake.AUDIO, Scale(0.0))(mix)
        for output in ("mask", "direct")
    )
    assert bool((mask <= mix).all()) and float(mask.min()) >= -1
    assert bool((direct > mix).any()) and float(direct.abs().max()) <= 1
    assert (mask - mix).abs().mean() < 0.5 * (direct - mix).abs().mean(), "it starts near the mix"


def band_and_voice(number: int) -> tuple[Float, Float]:
    """Struck notes, of another pitch in each song, and a hoarse voice on and off; (samples,)."""
    rng, time = np.random.default_rng(number), np.arange(SAMPLES) / RATE
    beat = RATE // 4
    notes = np.repeat(rng.uniform(150, 450) * rng.uniform(0.9, 1.1, SAMPLES // beat), beat)
    played = sum(np.sin(2 * np.pi * k * notes * time) / k for k in (1, 2, 3))
    played = 0.1 * played * np.exp(-2 * (time % 0.25)) + 0.002 * rng.standard_normal(SAMPLES)
    sings = np.clip(8 * np.sin(2 * np.pi * (rng.uniform(0.5, 1) * time + rng.uniform())), 0, 1)
    spectrum = np.fft.rfft(rng.standard_normal(SAMPLES))
    pitch = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    spectrum[(pitch < 1200) | (pitch > 2000)] = 0
    voice = 0.1 * sings * np.fft.irfft(spectrum, SAMPLES)
    return played.astype(np.float32), voice.astype(np.float32)


def songs(stem_of: Callable[[int], int] = lambda number: number) -> list[fake.FakeTrack]:
    """Instrumental and mix of eight songs. stem_of: whose instrumental a song is given."""
    made = []
    for number, split in enumerate(fake.SPLITS):
        played, voice = band_and_voice(number)
        other, _ = band_and_voice(stem_of(number))
        for stem, sound in (("instrumental", other), ("mix", played + voice)):
            track = fake.of_sound(f"song-{number}", "a", split, to_int16(sound))
            made.append(replace(track, stem=stem))
    return made


@pytest.fixture
def sung(project: Path) -> FeatureSet:
    """Songs and their instrumentals, as separation without a fault would have left them."""
    return lay(project, songs())


def lay(project: Path, tracks: list[fake.FakeTrack]) -> FeatureSet:
    fake.write_features(project / "data/features", tracks)
    fake.write_clean(project / "data/clean", tracks)
    return FeatureSet(project / "data/features", fake.AUDIO)


def told(claim: Claim) -> str:
    return verdict("pix2pix", UNFINISHED, claim)


def test_it_learns_to_take_the_voice_away_better_than_any_fixed_mask(trained, sung, params) -> None:
    task = trained("pix2pix", params("pix2pix", **LEARNING))
    scores = task.test()
    error, ratio = scores["log_mel_l1"], scores["si_sdr_db"]
    assert error["value"] < 0.5 * min(error["identity"], error["average_mask"])
    assert error["interval"][1] < min(error["identity"], error["average_mask"])
    assert error["separator"] == 0, "the separated stem is all that is known here"
    assert ratio["value"] > ratio["identity"] + 6
    assert ratio["oracle"] > ratio["value"]
    assert "separator" not in ratio and scores["true_tracks"] == 0
    assert "works" in told(task.claim(scores))


def test_an_untrained_model_is_told_that_it_is_no_better_than_its_baseline(
    sung, params, make
) -> None:
    claim = no_better(make("pix2pix", params("pix2pix")))
    assert claim.value > claim.baseline


def no_better(task: Any) -> Claim:
    """The claim of a task whose verdict must be a no."""
    task.generator.eval()
    claim = task.claim(task.test())
    assert "no better than" in told(claim) or "no difference shown" in told(claim)
    return claim


def test_a_model_that_has_learnt_from_shuffled_pairs_is_told_so(misled, params) -> None:
    wrong = songs(stem_of=lambda number: (number + 3) % len(fake.SPLITS))
    no_better(misled_with_sound(misled, params("pix2pix", **LEARNING), wrong))


def misled_with_sound(misled: Any, values: Any, wrong: list[fake.FakeTrack]) -> Any:
    return misled("pix2pix", values, wrong, songs())


class Fixed:
    """A model that has learnt no more than the average mask, or nothing at all."""

    directions = (ONE_WAY,)

    def __init__(self, offset: Any) -> None:
        self.offset = offset

    def convert(self, log_mel: Float, source: str, target: str) -> Float:
        """The mix, changed in all music alike."""
        return np.asarray(log_mel + self.offset, np.float32)


def test_a_model_that_only_knows_the_average_is_told_so(sung, params, make) -> None:
    task = make("pix2pix", params("pix2pix"))
    judge = StemScores(Data("pix2pix"), "instrumental")
    average = judge.of(Fixed(judge.average.offset))
    assert average["log_mel_l1"]["value"] == average["log_mel_l1"]["average_mask"]
    assert "no difference shown from" in told(task.claim(average))
    nothing = judge.of(Fixed(0.0))
    assert nothing["log_mel_l1"]["value"] == nothing["log_mel_l1"]["identity"]
    ratio = nothing["si_sdr_db"]
    assert ratio["value"] == pytest.approx(ratio["identity"], abs=0.01)
    assert task.claim(nothing).reached <= 0


def test_true_stems_judge_where_they_are_known_and_the_separator_too(
    project: Path, params, make
) -> None:
    wrong = songs(stem_of=lambda number: (number + 1) % len(fake.SPLITS))
    lay(project, wrong)
    truth = project / "data/raw/truth"
    truth.mkdir(parents=True)
    for number in (6, 7):
        voice = band_and_voice(number)[1]
        soundfile.write(truth / f"song-{number}.vocals.flac", np.stack([voice, voice], 1), RATE)
    scores = make("pix2pix", params("pix2pix")).test()
    assert scores["true_tracks"] == scores["tracks"] == 2
    assert scores["log_mel_l1"]["separator"] > scores["log_mel_l1"]["identity"]
    ratio = scores["si_sdr_db"]
    assert ratio["separator"] < ratio["identity"] < ratio["oracle"]
    voice = band_and_voice(6)[1][: SAMPLES // 2]  # as if something had been cut out of the track
    soundfile.write(truth / "song-6.vocals.flac", voice, RATE)
    scores = make("pix2pix", params("pix2pix")).test()
    assert scores["true_tracks"] == 1 and "separator" not in scores["si_sdr_db"]


def test_a_mask_takes_away_its_bands_and_no_others() -> None:
    played, voice = band_and_voice(0)
    mix, audio = played + voice, fake.AUDIO
    open_mask = np.ones((SAMPLES // audio.hop_length, audio.n_mels), np.float32)
    assert np.abs(masked(mix, open_mask, audio) - mix).max() < 1e-5
    assert not masked(mix, 0 * open_mask, audio).any()
    sung = mel_filterbank(audio)[:, 39:64].any(1)  # from 1.2 to 2 kHz
    assert si_sdr(masked(mix, open_mask * ~sung, audio), played) > si_sdr(mix, played) + 6
    assert si_sdr(masked(mix, open_mask * sung, audio), played) < si_sdr(mix, played) - 6


def test_no_other_fixed_mask_is_better_on_the_pairs_it_is_made_from() -> None:
    rng = np.random.default_rng(0)
    mix = rng.uniform(-8, 0, (200, 4)).astype(np.float32)
    stem = mix - rng.exponential(1, (200, 4)).astype(np.float32)
    mask = AverageMask([(mix[:90], stem[:90]), (mix[90:], stem[90:])])
    for change in (-0.1, 0.1):
        assert (np.abs(mix + mask.offset - stem).sum(0)
                < np.abs(mix + mask.offset + change - stem).sum(0)).all()  # fmt: skip
        errors = [
            ((np.exp(mix) * gain - np.exp(stem)) ** 2).sum(0)
            for gain in (mask.gain, mask.gain + change)
        ]
        assert (errors[0] < errors[1]).all()


def test_a_batch_is_a_mix_and_its_own_stem(sung, params, make) -> None:
    task = make("pix2pix", params("pix2pix", batch_size=64))
    batch = task.batch(np.random.default_rng(0))
    # all that the stem lacks is the voice: the lowest bands are the same
    assert torch.allclose(batch["mix"][:, :, :6], batch["stem"][:, :, :6], atol=0.05)
    assert not torch.allclose(batch["mix"], batch["stem"], atol=0.5)


def test_a_run_that_is_broken_off_ends_in_the_same_weights(
    sung, params, trained, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    fake.change_params(project, {"runtime": {"checkpoint_seconds": 0}})
    values = params("pix2pix", steps=6, validate_every=3)
    whole = trained("pix2pix", values).generator.state_dict()
    original = loop._Run.step

    def breaks(self: Any, batch: Any) -> None:
        original(self, batch)
        if self.state.step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop._Run, "step", breaks)
    values = replace(values, max_minutes=60.0)  # another run, but for the steps the same one
    with pytest.raises(KeyboardInterrupt):
        trained("pix2pix", values)
    monkeypatch.setattr(loop._Run, "step", original)
    resumed = trained("pix2pix", values).generator.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_any_length_is_made_and_a_saved_model_makes_it_alike(sung, params, make) -> None:
    task = make("pix2pix", params("pix2pix"))
    task.generator.eval()
    task.trained().save(Path("models/pix2pix"))
    again = TrainedPix2Pix.load(Path("models/pix2pix"), fake.AUDIO)
    for frames in (1, 5, 32, 101):
        mel = np.array(sung.tracks("test", stem="mix")[0].mel[:frames])
        made = again.convert(mel, *ONE_WAY)
        assert made.shape == mel.shape
        assert np.array_equal(made, task.trained().convert(mel, *ONE_WAY))
    with pytest.raises(UserError, match=r"cannot make vocals of mix \(trained: instrumental of"):
        again.convert(mel, "mix", "vocals")


@pytest.mark.parametrize(
    ("stems", "said"),
    [
        (["mix"], r"has no instrumental, .* preprocess.stems: \[mix, instrumental\]"),
        (["instrumental"], r"has no mix, .* preprocess.stems: \[instrumental, mix\]"),
    ],
)
def test_without_pairs_the_stage_ends_with_a_word_and_an_empty_model(
    project: Path, params, make, stems: list[str], said: str
) -> None:
    tracks = [replace(track, stem=stem) for track in fake.tunes(["beat"]) for stem in stems]
    features = lay_mels(project, tracks)
    task = make("pix2pix", params("pix2pix"))
    assert not task.networks and task.test() == {}
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(task.idle)
    task.trained().save(Path("models/pix2pix"))
    again = TrainedPix2Pix.load(Path("models/pix2pix"), features.audio)
    assert again.directions == [] and again.stems == []
    with pytest.raises(UserError, match="cannot make instrumental of mix"):
        again.convert(tracks[0].mel, *ONE_WAY)


def lay_mels(project: Path, tracks: list[fake.FakeTrack]) -> FeatureSet:
    fake.write_features(project / "data/features", tracks)
    return FeatureSet(project / "data/features", fake.AUDIO)


def test_vocals_that_are_asked_for_and_not_there_are_an_error(sung, params, make) -> None:
    with pytest.raises(UserError, match=r"task is vocals, but preprocess.stems lacks vocals: .*"):
        make("pix2pix", params("pix2pix", task="vocals"))
