"""The vocoder: what MagNet learns, what its folder holds, and what every kind promises."""

import json
from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import pytest
import torch

from melodygan.audio.layout import to_network
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.audio.pcm import from_int16, to_int16
from melodygan.models.vocoder.kinds import NETWORKS
from melodygan.models.vocoder.model import load
from melodygan.models.vocoder.training import VocoderTask
from melodygan.pipeline import Stage, UserError
from melodygan.scores.audio import log_magnitude_l1
from melodygan.training.stage import train_stage
from melodygan.training.verdict import Outcome, verdict

AUDIO = MelConfig(8000, 256, 64, 256, 32, 0.0, 3000.0)  # the mel ends below half the sample rate
LEARNING = {"steps": 60, "lr": 1e-2, "validate_every": 30, "frames": 32, "channels": 16}
SPLITS = ("train", "train", "train", "validation", "test", "test")


def tune(seed: int) -> np.ndarray:
    """3 s of plucked notes with harmonics up to half the sample rate over faint noise, int16."""
    rng = np.random.default_rng(seed)
    time = np.arange(24000 + 10 * seed) / 8000
    sound = 0.003 * rng.standard_normal(len(time))
    for start in np.arange(0, 3, 0.25):
        root = 220 * 2 ** (rng.integers(0, 12) / 12)
        after = np.maximum(time - start, 0)
        for harmonic in range(1, int(3900 / root)):
            tone = np.sin(2 * np.pi * root * harmonic * after) * (time >= start)
            sound += 0.1 / harmonic * tone * np.exp(-6 * after)
    return to_int16(sound.astype(np.float32))


@pytest.fixture
def data(project: Path) -> Path:
    """A project with data/clean and data/features of five tunes."""
    fake.change_params(project, {"audio": AUDIO.as_dict(), "vocoder": {"magnet": LEARNING}})
    fake.write_clean(project / "data/clean", tunes())
    fake.write_features(project / "data/features", tunes(), AUDIO)
    return project


def tunes() -> list[fake.FakeTrack]:
    return [fake.of_sound(f"t{i}", "pop", split, tune(i), AUDIO) for i, split in enumerate(SPLITS)]


def test_few_steps_make_a_better_sound_than_the_same_synthesis_without_the_network(
    data: Path, trained, params
) -> None:
    task = trained("vocoder", params("vocoder"))
    scores = task.test()
    assert scores.keys() == {"log_mel_l1", "log_magnitude_l1", "m_stft"}
    m_stft = scores["m_stft"]
    assert m_stft["oracle"] < m_stft["value"] < 0.98 * m_stft["untrained"]
    assert m_stft["untrained"] < m_stft["griffin_lim_32"]
    validation = np.genfromtxt("metrics/vocoder/validation.tsv", names=True)
    assert validation["m_stft"].min() < 0.98 * validation["untrained_m_stft"][0]


def test_an_untrained_network_is_told_that_it_adds_nothing(data: Path, make, params) -> None:
    task = make("vocoder", params("vocoder"))
    prior, guess, _ = task.example(task.batch(np.random.default_rng(0)))
    with torch.no_grad():
        assert torch.equal(task.magnet(prior, guess), prior)
    scores = task.test()
    assert scores["m_stft"]["value"] == scores["m_stft"]["untrained"]
    task.outcome = Outcome(40, 40, 1.0, "", 2, False, ())
    said = verdict("vocoder", task.outcome, task.claim(scores))
    assert "no difference shown from the same synthesis without the network, 0% of the way" in said


def test_a_network_that_has_learnt_noise_is_told_so(data: Path, misled, params) -> None:
    task = misled("vocoder", params("vocoder"), fake.noise(tunes(), AUDIO), tunes(), AUDIO)
    claim = task.claim(task.test())
    assert claim.reached < 0.1
    said = verdict("vocoder", Outcome(60, 60, 1.0, "", 2, False, ()), claim)
    assert ": works, " not in said


def test_training_twice_gives_the_same_bytes(data: Path, trained, params) -> None:
    values = params("vocoder")
    values = replace(values, magnet=replace(values.magnet, steps=4, validate_every=2))
    for name in ("a", "b"):
        trained("vocoder", values).trained().save(data / name)
    for file in ("weights.safetensors", "config.json"):
        assert (data / "a" / file).read_bytes() == (data / "b" / file).read_bytes()


def test_a_better_quality_sounds_better(data: Path, make, params) -> None:
    def m_stft(quality: str) -> float:
        values = params("vocoder")
        task = make("vocoder", replace(values, magnet=replace(values.magnet, quality=quality)))
        return task.test()["m_stft"]["value"]

    assert m_stft("best") < m_stft("good") < m_stft("fast")


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_kind_keeps_the_contract_and_survives_its_folder(
    data: Path, make, params, kind: str
) -> None:
    vocoder = make("vocoder", replace(params("vocoder"), kind=kind)).trained()
    torch.manual_seed(0)
    for weight in vocoder.network.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    vocoder.save(data / "models/vocoder")
    loaded = load(data / "models/vocoder", AUDIO)
    for frames in (1, 3, 50, 376):
        mel = log_mel(from_int16(tune(9)), AUDIO)[:frames]
        sound = vocoder.synthesise(mel)
        assert sound.dtype == np.float32 and sound.shape == (frames * 64,)
        assert np.array_equal(loaded.synthesise(mel), sound)
        batch = vocoder.network(to_network(np.stack([mel, mel])))
        assert batch.shape == (2, frames * 64)


@pytest.mark.parametrize("kind", ["magnet", "griffinlim"])
def test_long_sounds_are_made_in_pieces_without_a_seam(
    data: Path, make, params, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step from one piece to the next is no larger than steps inside a piece."""
    vocoder = make("vocoder", replace(params("vocoder"), kind=kind)).trained()
    mel = log_mel(from_int16(tune(9)), AUDIO)
    whole = vocoder.synthesise(mel)
    monkeypatch.setattr("melodygan.models.vocoder.vocoder.PIECE", 100)
    pieces = vocoder.synthesise(mel)
    assert pieces.shape == whole.shape
    with torch.no_grad():
        first = vocoder.network(to_network(mel[:104]))[0, : 100 * 64].numpy()
    assert np.array_equal(pieces[: 100 * 64], first)
    asked: list[int] = []

    def read(start: int, stop: int) -> np.ndarray:
        asked.append(stop - start)
        return mel[start:stop]

    assert np.array_equal(np.concatenate(list(vocoder.synthesise_pieces(read, len(mel)))), pieces)
    assert max(asked) <= 100 + 32 + 4

    def errors(sound: np.ndarray) -> np.ndarray:
        return np.abs(log_mel(sound, AUDIO) - mel).mean(1)

    seams = np.concatenate([np.arange(at - 3, at + 7) for at in range(100, len(mel) - 10, 100)])
    assert errors(pieces)[seams].mean() < 1.5 * errors(whole)[seams].mean() + 0.05


def test_a_kind_that_learns_nothing_is_written_and_scored(data: Path) -> None:
    fake.change_params(data, {"vocoder": {"kind": "griffinlim"}})
    train_stage(Stage("vocoder"), VocoderTask)
    scores = json.loads((data / "metrics/vocoder.json").read_text())
    assert scores["m_stft"]["value"] == scores["m_stft"]["untrained"] > 0
    assert load(data / "models/vocoder", AUDIO).params.kind == "griffinlim"
    assert (data / "metrics/vocoder").is_dir(), "DVC expects the output"


def test_synthesis_copes_with_silence_and_with_one_frame(data: Path, make, params) -> None:
    vocoder = make("vocoder", params("vocoder")).trained()
    silence = np.full((40, 32), np.log(1e-5), np.float32)
    assert np.abs(vocoder.synthesise(silence)).max() < 1e-3
    one = vocoder.synthesise(log_mel(from_int16(tune(0)), AUDIO)[:1])
    assert one.shape == (64,) and np.isfinite(one).all()


def test_another_mel_configuration_is_refused_with_both_shown(data: Path, make, params) -> None:
    make("vocoder", params("vocoder")).trained().save(data / "models/vocoder")
    with pytest.raises(UserError, match=r"fmax=3000.0.*fmax=4000.0"):
        load(data / "models/vocoder", replace(AUDIO, fmax=4000.0))


def test_weights_that_do_not_fit_the_config_are_refused_in_one_line(
    data: Path, make, params
) -> None:
    make("vocoder", params("vocoder")).trained().save(data / "models/vocoder")
    config = data / "models/vocoder/config.json"
    said = json.loads(config.read_text())
    said["params"]["magnet"]["channels"] = 8
    config.write_text(json.dumps(said))
    with pytest.raises(UserError, match=r"but config\.json asks for") as error:
        load(data / "models/vocoder", AUDIO)
    assert len(str(error.value).splitlines()) == 1


def test_answers_below_the_floor_are_right_for_quiet_bins_and_wrong_for_loud_ones() -> None:
    magnitude = torch.tensor([1e-6, 1e-2])
    answer = torch.tensor([-20.0, -20.0], requires_grad=True)
    loss = log_magnitude_l1(answer, magnitude)
    assert loss.item() == pytest.approx((20 + np.log(1e-2)) / 2, rel=1e-4)
    loss.backward()
    assert answer.grad is not None and answer.grad.tolist() == [0.0, -0.5]
