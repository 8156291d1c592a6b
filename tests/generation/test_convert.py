"""A whole song converted: its loudness, its vocals, the strength, and no seams between pieces."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from melodygan.audio.loudness import integrated_loudness
from melodygan.audio.mel import log_mel
from melodygan.blocks.scale import Scale
from melodygan.commands.convert import convert
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.generation.contour import Contour
from melodygan.generation.convert import Conversion
from melodygan.generation.songs import Hearing, Separation
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import TrainedCycleGAN, make_generator
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load, parse, read_params

Float = NDArray[np.float32]
RATE = fake.AUDIO.sample_rate
SECONDS = 4


def model(seed: int, **changes: object) -> TrainedCycleGAN:
    """Generators that were never trained: a kind of conversion, if not a nice one."""
    torch.manual_seed(seed)
    values = fake.MODELS["cyclegan"] | {"residual": False} | changes
    params = parse(CycleGANParams, values, "cyclegan")
    generators = {("a", "b"): make_generator(params, fake.AUDIO.n_mels)}
    return TrainedCycleGAN(generators, params, fake.AUDIO, Scale(2.0))


@pytest.fixture
def conversion() -> Conversion:
    """With a model that was never trained, and Griffin-Lim."""
    torch.set_num_threads(1)
    vocoder = replace(load(VocoderParams, "vocoder", fake.ROOT / "params.yaml"), kind="griffinlim")
    cleaning = load(PreprocessParams, "preprocess", fake.ROOT / "params.yaml")
    synthesiser = Vocoder(vocoder, fake.AUDIO, GriffinLim(fake.AUDIO, 4))
    return Conversion(model(0), "a", "b", synthesiser, Hearing(fake.AUDIO, cleaning))


def chord(rate: int) -> Float:
    """(samples,): three notes, struck twice a second."""
    time = np.arange(SECONDS * rate) / rate
    notes = sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 277.2, 329.6)) / 9
    return (notes * np.exp(-4 * (time % 0.5))).astype(np.float32)


def test_the_result_has_the_loudness_of_the_song(conversion: Conversion, tmp_path: Path) -> None:
    for gain in (1.0, 0.1):
        song = gain * chord(RATE)
        soundfile.write(tmp_path / "song.wav", song, RATE, subtype="FLOAT")
        assert conversion.run(tmp_path / "song.wav", tmp_path / "new.wav") == SECONDS
        new, _ = soundfile.read(tmp_path / "new.wav", dtype="float32")
        wanted = integrated_loudness(song, RATE)
        assert integrated_loudness(new, RATE) == pytest.approx(wanted, abs=0.2)


def test_a_quiet_passage_stays_quiet_and_a_loud_one_loud(
    conversion: Conversion, tmp_path: Path
) -> None:
    level = np.repeat([0.1, 1.0, 0.3], 4 * RATE).astype(np.float32)
    song = np.tile(chord(RATE), 3) * level
    soundfile.write(tmp_path / "song.wav", song, RATE, subtype="FLOAT")
    conversion.run(tmp_path / "song.wav", tmp_path / "new.wav")
    new, _ = soundfile.read(tmp_path / "new.wav", dtype="float32")
    gaps = []
    for sound in (song, new):
        parts = [sound[int((4 * n + 1) * RATE) : int((4 * n + 3) * RATE)] for n in range(3)]
        loud = [integrated_loudness(part, RATE) for part in parts]
        gaps.append(np.diff(loud))
    assert np.abs(gaps[0]).min() > 10
    assert gaps[1] == pytest.approx(gaps[0], abs=3)
    assert integrated_loudness(new, RATE) == pytest.approx(integrated_loudness(song, RATE), abs=0.2)


def test_silence_is_not_blown_up_and_no_passage_raised_by_more_than_12_db() -> None:
    rng = np.random.default_rng(0)
    wanted = np.concatenate([np.full(50, 1e-2), np.zeros(50), np.full(50, 2e-2)])
    found = np.concatenate([np.full(50, 1e-6), np.full(50, 1e-9), np.full(50, 3e-2)])
    contour = Contour(wanted, found, RATE)
    block = rng.standard_normal(15 * RATE).astype(np.float32)
    gain = contour(block, 0) / block
    assert gain.max() == pytest.approx(10 ** (12 / 20), rel=1e-3)
    assert gain[int(7.5 * RATE)] == pytest.approx(1, abs=0.25)  # silent in both
    assert gain[-1] == pytest.approx(1, abs=0.25)
    halves = np.concatenate([contour(block[:1000], 0), contour(block[1000:], 1000)])
    assert np.array_equal(halves, contour(block, 0))
    assert np.abs(np.diff(gain)).max() < 1e-2, "no steps"


def test_strength_goes_from_the_source_to_the_whole_conversion(
    conversion: Conversion, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "song.wav", chord(RATE), RATE, subtype="FLOAT")

    def made(strength: float, seed: int) -> Float:
        run = replace(conversion, strength=strength, converter=model(seed))
        run.run(tmp_path / "song.wav", tmp_path / "new.wav")
        return soundfile.read(tmp_path / "new.wav", dtype="float32")[0]

    assert np.array_equal(made(0, 0), made(0, 1))
    assert not np.array_equal(made(1, 0), made(1, 1))
    source = log_mel(chord(RATE), fake.AUDIO)
    away = [np.abs(log_mel(made(s, 0), fake.AUDIO) - source).mean() for s in (0.0, 0.5, 1.0)]
    assert away[0] < 0.6 < away[1] < away[2]


class Known:
    """A separator that knows the vocals."""

    def __init__(self, vocals: Float) -> None:
        self.sung = vocals

    def vocals(self, read: Callable[[int, int], Float], samples: int) -> Iterator[Float]:
        """In two blocks."""
        assert read(0, samples).shape == self.sung.shape
        yield from (self.sung[:50_000], self.sung[50_000:])


def test_vocals_lie_over_the_converted_stem_at_their_own_level_place_and_time(
    conversion: Conversion, tmp_path: Path
) -> None:
    rng, rate = np.random.default_rng(0), 44100
    envelope = np.clip(np.sin(np.arange(SECONDS * rate) / rate * 5), 0, 1)[:, None]
    vocals = (0.1 * rng.standard_normal((SECONDS * rate, 1)) * envelope).astype(np.float32)
    vocals = vocals * np.array([[1.0, 0.3]], np.float32)  # most of them on the left
    instrumental = chord(rate)
    soundfile.write(tmp_path / "song.wav", instrumental[:, None] + vocals, rate, subtype="FLOAT")

    def apart(keep_vocals: bool) -> Conversion:
        separation = Separation(Known(vocals), "instrumental", keep_vocals)
        return replace(conversion, hearing=replace(conversion.hearing, separation=separation))

    apart(True).run(tmp_path / "song.wav", tmp_path / "new.wav")
    new, new_rate = soundfile.read(tmp_path / "new.wav", dtype="float32")
    assert (new_rate, new.shape) == (rate, vocals.shape)
    # what was converted is in the middle, so the difference of the channels is that of the vocals
    assert np.abs(new[:, 0] - new[:, 1] - 0.7 * vocals[:, 0]).max() < 1e-4
    converted = (new - vocals)[:, 0]
    wanted = integrated_loudness(instrumental, rate)
    assert integrated_loudness(converted, rate) == pytest.approx(wanted, abs=0.5)

    apart(False).run(tmp_path / "song.wav", tmp_path / "alone.wav")
    soundfile.write(tmp_path / "stem.wav", instrumental, rate, subtype="FLOAT")
    conversion.run(tmp_path / "stem.wav", tmp_path / "same.wav")
    found, same = (soundfile.read(tmp_path / name)[0] for name in ("alone.wav", "same.wav"))
    assert found.shape == same.shape == (SECONDS * RATE // 64 * 64,)
    assert np.corrcoef(found, same)[0, 1] > 0.9


def wandering(frames: int) -> Float:
    """Log-mel (frames, n_mels) that moves slowly, and nowhere in steps."""
    mel = np.random.default_rng(0).standard_normal((frames, fake.AUDIO.n_mels))
    for frame in range(1, frames):
        mel[frame] = 0.98 * mel[frame - 1] + 0.2 * mel[frame]
    return (2 * mel - 5).astype(np.float32)


def flux_ratio(log_mel: Float, places: NDArray[np.int64]) -> float:
    """Mean change from frame to frame at places, over that anywhere else."""
    flux = np.abs(np.diff(log_mel, axis=0)).mean(1)
    there = np.zeros(len(flux), bool)
    there[places - 1] = True
    return float(flux[there].mean() / flux[~there].mean())


@pytest.mark.parametrize("kind", ["resnet", "unet"])
def test_pieces_meet_without_seams(kind: str) -> None:
    width = fake.MODELS["cyclegan"]["frames"]
    mel = wandering(60 * width)
    converter = model(0, generator=kind, width=8)
    converted = converter.convert(mel, "a", "b")
    seams = np.arange(width, len(mel) - width, width)
    for places in (seams, seams + width // 2):  # where a crossfade begins and where it ends
        before = flux_ratio(mel, places)  # of the song's own
        assert flux_ratio(converted, places) < 1.1 * max(1.0, before)
    # the measure does see steps that would be heard
    steps = np.repeat(np.random.default_rng(0).normal(0, 2, 60), width)[:, None]
    assert flux_ratio(converted + steps, seams) > 1.1


def test_a_stem_of_a_whole_song_by_the_command(models: Any, tmp_path: Path) -> None:
    models("pix2pix", "vocoder")
    params = read_params(fake.ROOT / "params.yaml")
    fake.change_params(tmp_path, {name: params[name] for name in ("preprocess", "separate")})
    soundfile.write(tmp_path / "song.wav", chord(RATE), RATE)
    said = convert(tmp_path / "song.wav", None, "instrumental", tmp_path / "new.wav")
    assert "mix to instrumental" in said
    made, _ = soundfile.read(tmp_path / "new.wav")
    assert len(made) == SECONDS * RATE // 64 * 64 and np.abs(made).max() > 0.01
    with pytest.raises(UserError, match="--keep-vocals: instrumental is a stem and no style"):
        convert(tmp_path / "song.wav", "mix", "instrumental", tmp_path / "b.wav", keep_vocals=True)
    assert not (tmp_path / "b.wav").exists()
