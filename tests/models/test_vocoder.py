"""The vocoder: what MagNet learns, what its folder holds, and how it sounds beside the baseline."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from melodygan.audio.mel import MelConfig, log_mel
from melodygan.audio.pcm import from_int16, to_int16
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.training import (
    CleanAudio,
    VocoderTask,
    held_out_scores,
    log_magnitude_l1,
)
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline import Stage, UserError
from melodygan.pipeline.files import write_json, write_rows
from melodygan.training.loop import train

AUDIO = MelConfig(8000, 256, 64, 256, 32, 0.0, 3000.0)  # the mel ends below half the sample rate
PARAMS = VocoderParams(
    steps=40,
    batch_size=4,
    lr=3e-3,
    validate_every=20,
    patience=0,
    max_minutes=0.0,
    sample_every=0,
    kind="magnet",
    frames=32,
    channels=32,
    blocks=2,
    iterations=16,
)
SPLITS = ("train", "train", "train", "validation", "test")


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
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with data/clean and data/features of five tunes; the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    clean, features = tmp_path / "data/clean", tmp_path / "data/features"
    tunes = [tune(seed) for seed in range(len(SPLITS))]
    mels = [log_mel(from_int16(t), AUDIO) for t in tunes]
    for folder, name, parts in ((clean, "audio", tunes), (features, "mel", mels)):
        folder.mkdir(parents=True)
        np.save(folder / f"{name}-00.npy", np.concatenate(parts))
        starts = np.cumsum([0, *map(len, parts)]).tolist()
        length = "samples" if name == "audio" else "frames"
        write_rows(
            folder / "index.jsonl",
            [
                {"track": f"t{i}", "stem": "band", "label": "pop", "split": split, "shard": 0}
                | {"start": starts[i], length: len(parts[i])}
                for i, split in enumerate(SPLITS)
            ]
            + [{"track": "bad", "file": "bad.wav", "rejected": "silent"}] * (name == "audio"),
        )
    joined = np.concatenate(mels)
    numbers = {"mean": float(joined.mean()), "std": float(joined.std())}
    write_json(
        features / "meta.json",
        {
            "audio": AUDIO.as_dict(),
            "labels": ["pop"],
            "stems": ["band"],
            "statistics": {"band": numbers},
        },
    )
    (tmp_path / "dvc.yaml").write_text(
        "stages: {vocoder: {cmd: none, deps: [data/clean, data/features]}}"
    )
    (tmp_path / "params.yaml").write_text(
        "runtime: {device: cpu, precision: fp32, threads: 1, processes: 1, workers: 1, "
        "track_seconds: 60, backend: local, dask_scheduler: none, loaders: 0, "
        "compile: false, dvclive: false, tensorboard: false, checkpoint_seconds: 60}"
    )
    return tmp_path


def trained(data: Path, params: VocoderParams = PARAMS) -> VocoderTask:
    features = FeatureSet(data / "data/features", AUDIO)
    stage = Stage("vocoder")
    return train(stage, params, 0, lambda: VocoderTask(params, features, data / "data/clean"))


def untrained(data: Path) -> Vocoder:
    features = FeatureSet(data / "data/features", AUDIO)
    return VocoderTask(PARAMS, features, data / "data/clean").trained()


def test_few_steps_bring_the_held_out_magnitude_below_the_prior_and_the_sound_below_griffin_lim(
    data: Path,
) -> None:
    task = trained(data)
    with torch.no_grad():
        scores = task.validate()
    assert scores["log_magnitude_l1"] < 0.9 * scores["prior_log_magnitude_l1"]
    held_out = held_out_scores(task.trained(), data / "data/clean", "band")
    assert held_out.keys() == {"log_mel_l1", "m_stft"}
    for score in held_out.values():
        assert score["value"] < 0.9 * score["griffin_lim_32"]


def test_untrained_network_answers_the_prior(data: Path) -> None:
    features = FeatureSet(data / "data/features", AUDIO)
    task = VocoderTask(PARAMS, features, data / "data/clean")
    mel, prior, _ = task.example(task.batch(np.random.default_rng(0))["audio"])
    with torch.no_grad():
        assert torch.equal(task.network(mel, prior), prior)
        scores = task.validate()
    assert scores["log_magnitude_l1"] == pytest.approx(scores["prior_log_magnitude_l1"])


def test_training_twice_gives_the_same_bytes(data: Path) -> None:
    params = replace(PARAMS, steps=4, validate_every=2)
    for name in ("a", "b"):
        trained(data, params).trained().save(data / name)
    for file in ("weights.safetensors", "config.json"):
        assert (data / "a" / file).read_bytes() == (data / "b" / file).read_bytes()


@pytest.mark.parametrize("kind", ["magnet", "griffinlim"])
def test_loaded_vocoder_makes_the_same_samples(data: Path, kind: str) -> None:
    vocoder = untrained(data)
    if kind == "griffinlim":
        vocoder = Vocoder(replace(PARAMS, kind="griffinlim"), AUDIO, None)
    else:
        assert vocoder.network is not None
        torch.nn.init.normal_(vocoder.network.head.weight, std=0.1)
    vocoder.save(data / "models/vocoder")
    mel = log_mel(from_int16(tune(9)), AUDIO)
    sound = vocoder.synthesise(mel)
    assert sound.dtype == np.float32
    assert sound.shape == (len(mel) * 64,)
    loaded = Vocoder.load(data / "models/vocoder", AUDIO)
    assert np.array_equal(loaded.synthesise(mel), sound)


def test_synthesis_copes_with_silence_and_with_one_frame(data: Path) -> None:
    vocoder = untrained(data)
    silence = np.full((40, 32), np.log(1e-5), np.float32)
    assert np.abs(vocoder.synthesise(silence)).max() < 1e-3
    one = vocoder.synthesise(log_mel(from_int16(tune(0)), AUDIO)[:2])
    assert one.shape == (128,) and np.isfinite(one).all()


def test_another_mel_configuration_is_refused_with_both_shown(data: Path) -> None:
    untrained(data).save(data / "models/vocoder")
    with pytest.raises(UserError, match=r"fmax=3000.0.*fmax=4000.0"):
        Vocoder.load(data / "models/vocoder", replace(AUDIO, fmax=4000.0))


def test_answers_below_the_floor_are_right_for_quiet_bins_and_wrong_for_loud_ones() -> None:
    magnitude = torch.tensor([1e-6, 1e-2])
    answer = torch.tensor([-20.0, -20.0], requires_grad=True)
    loss = log_magnitude_l1(answer, magnitude)
    assert loss.item() == pytest.approx((20 + np.log(1e-2)) / 2, rel=1e-4)
    loss.backward()
    assert answer.grad is not None and answer.grad.tolist() == [0.0, -0.5]


def test_crops_lie_within_one_track_and_reach_all_of_them(data: Path) -> None:
    audio = CleanAudio(data / "data/clean", "train", "band")
    tracks = [torch.from_numpy(from_int16(track)) for track in audio.tracks]
    size = min(map(len, tracks)) - 5
    owners = []
    for crop in audio.random(40, size, np.random.default_rng(0)):
        places = [(track.unfold(0, size, 1) == crop).all(1).sum() for track in tracks]
        assert sum(places) == 1
        owners.append(int(torch.stack(places).argmax()))
    assert set(owners) == {0, 1, 2}
    for crop in audio.random(5, len(tracks[2]), np.random.default_rng(0)):
        assert torch.equal(crop, tracks[2])


def test_missing_or_too_short_tracks_are_explained(data: Path) -> None:
    with pytest.raises(UserError, match="no train track of stem vocals"):
        CleanAudio(data / "data/clean", "train", "vocals")
    audio = CleanAudio(data / "data/clean", "train", "band")
    with pytest.raises(UserError, match=r"lower vocoder\.frames"):
        audio.random(1, 10**6, np.random.default_rng(0))
