"""What MagNet minimises: it knows better sounds from worse, and the stage uses it in its time."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import ceil
from pathlib import Path

import fake
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from melodygan.audio.pcm import to_int16
from melodygan.audio.stft import stft
from melodygan.models.vocoder.magnet.loss import magnitude_losses, sound_loss, total
from melodygan.models.vocoder.magnet.training import ALONE, MagNetTask
from melodygan.pipeline import UserError
from melodygan.training.data import Data
from melodygan.training.task import Batch, Update

SPLITS = ("train", "train", "validation", "test")


def notes(seed: int) -> Tensor:
    """One second of decaying chords, (2, samples)."""
    rng = np.random.default_rng(seed)
    time = np.arange(8000) / 8000
    chords = [
        sum(np.sin(2 * np.pi * hz * time) for hz in rng.uniform(200, 2500, 4)) * np.exp(-3 * time)
        for _ in range(2)
    ]
    return torch.from_numpy(0.1 * np.stack(chords).astype(np.float32))


def log_magnitude(sound: Tensor) -> Tensor:
    return stft(sound, fake.AUDIO).abs().clamp_min(1e-5).log()


def blurred(magnitudes: Tensor, bins: int) -> Tensor:
    """Each bin the mean of its neighbours."""
    return functional.avg_pool1d(magnitudes.mT, bins, 1, bins // 2).mT


def test_the_true_magnitude_sounds_better_than_a_blurred_one_and_that_than_noise() -> None:
    sound = notes(0)
    true = log_magnitude(sound)
    noise = true[:, torch.randperm(true.shape[1], generator=torch.Generator().manual_seed(0))]
    answers = (true, blurred(true, 3), blurred(true, 9), noise)
    losses = [sound_loss(answer, sound, fake.AUDIO).item() for answer in answers]
    assert all(better < 0.8 * worse for better, worse in pairwise(losses))


def test_what_lies_outside_of_the_crop_does_not_count() -> None:
    sound, padding = notes(0), fake.AUDIO.padding
    other = sound.clone()
    other[:, :padding] = other[:, -padding:] = 1.0
    answer = log_magnitude(sound)
    assert sound_loss(answer, other, fake.AUDIO) == sound_loss(answer, sound, fake.AUDIO)
    other[:, : 2 * padding] = 1.0
    assert sound_loss(answer, other, fake.AUDIO) > sound_loss(answer, sound, fake.AUDIO)


def test_following_its_slope_makes_a_better_sound_of_a_blurred_magnitude() -> None:
    """Though the phases, which have no slope, are made of the magnitude too."""
    sound = notes(1)
    answer = blurred(log_magnitude(sound), 5).requires_grad_()
    before = sound_loss(answer, sound, fake.AUDIO).item()
    optimiser = torch.optim.Adam([answer], lr=0.05)
    for _ in range(40):
        optimiser.zero_grad()
        sound_loss(answer, sound, fake.AUDIO).backward()
        optimiser.step()
    assert sound_loss(answer, sound, fake.AUDIO) < 0.85 * before


def test_windows_no_longer_than_a_hop_leave_no_ends_out() -> None:
    audio = replace(fake.AUDIO, n_fft=256, win_length=256, hop_length=256)
    assert audio.padding == 0
    sound = notes(0)[:, : 30 * 256]
    answer = stft(sound, audio).abs().clamp_min(1e-5).log().requires_grad_()
    loss = sound_loss(answer, sound, audio)
    loss.backward()
    assert loss > 0 and answer.grad is not None and torch.isfinite(answer.grad).all()


def test_silence_has_a_finite_loss_and_slope() -> None:
    silence = torch.zeros(1, 4096)
    answer = torch.full((1, fake.AUDIO.n_bins, 64), -11.5, requires_grad=True)
    loss = total(
        magnitude_losses(answer, stft(silence, fake.AUDIO).abs()),
        sound_loss(answer, silence, fake.AUDIO),
    )
    loss.backward()
    assert torch.isfinite(loss) and answer.grad is not None and torch.isfinite(answer.grad).all()


def test_beside_the_sound_the_magnitude_counts_a_tenth() -> None:
    parts = {"a": torch.tensor(2.0), "b": torch.tensor(3.0)}
    assert total(parts).item() == 5.0
    assert total(parts, torch.tensor(1.0)).item() == pytest.approx(1.5)


@pytest.fixture
def data(project: Path) -> Data:
    """Four tracks of three seconds."""
    sounds = [to_int16(torch.cat([*notes(i), notes(i)[0]]).numpy()) for i in range(len(SPLITS))]
    tracks = [
        fake.of_sound(f"t{i}", "pop", split, sound)
        for i, (split, sound) in enumerate(zip(SPLITS, sounds, strict=True))
    ]
    fake.write_clean(project / "data/clean", tracks)
    fake.write_features(project / "data/features", tracks)
    return Data("vocoder")


def logged(task: MagNetTask, step: int) -> set[str]:
    (update,) = task.updates(task.batch(np.random.default_rng(0)), step)
    return set(update.logs)


def test_from_scratch_the_sound_counts_in_the_last_steps_alone(data: Data, make, params) -> None:
    task = make("vocoder", params("vocoder"))
    first = ceil(ALONE * task.own.steps)
    assert 0 < first < task.own.steps
    assert logged(task, first - 1) == {"log_magnitude", "magnitude"}
    assert logged(task, first) == {"log_magnitude", "magnitude", "m_stft"}


def test_from_trained_weights_the_sound_counts_from_the_first_step(
    data: Data, make, params
) -> None:
    make("vocoder", params("vocoder")).trained().save(Path("elsewhere"))
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("- data/clean\n", "- data/clean\n    - elsewhere\n"))
    assert "m_stft" in logged(make("vocoder", params("vocoder", init="elsewhere")), 0)


@pytest.mark.parametrize("heard", [False, True])
def test_the_sound_is_compared_in_full_precision_with_that_of_the_same_frames(
    data: Data, make, params, heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another log-mel is heard, the ends of a crop are no pair, and are cut off."""
    if heard:
        monkeypatch.setattr(
            "melodygan.models.vocoder.task.hearing", lambda *_: lambda log_mel, _: log_mel
        )
    task = make("vocoder", params("vocoder"))
    monkeypatch.setattr(task.magnet, "forward", lambda prior, _: prior.bfloat16())
    batch = task.batch(np.random.default_rng(0))
    prior, _, magnitude = task.example(batch)
    cut = 2 * 64 if heard else 0
    sound = batch["audio"][:, cut : batch["audio"].shape[1] - cut]
    assert magnitude.shape[-1] * 64 == sound.shape[1]
    with torch.autocast("cpu", torch.bfloat16):
        (update,) = task.updates(batch, task.own.steps)
    made = update.logs["m_stft"]
    assert made.dtype == torch.float32
    assert made == sound_loss(prior.bfloat16().float(), sound, fake.AUDIO)


def test_crops_too_short_to_be_listened_to_are_refused(data: Data, make, params) -> None:
    values = params("vocoder")

    def of(frames: int) -> MagNetTask:
        return make("vocoder", replace(values, magnet=replace(values.magnet, frames=frames)))

    with pytest.raises(UserError, match=r"magnet\.frames: 19 frames .* at least 20 are needed"):
        of(19)
    assert "m_stft" in logged(of(20), 9)


def test_a_run_resumed_on_either_side_of_the_change_writes_the_same_bytes(
    data: Data, params, trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = params("vocoder")
    values = replace(values, magnet=replace(values.magnet, steps=24, validate_every=24))
    files = (Path("models/vocoder/weights.safetensors"), Path("metrics/vocoder/train.tsv"))
    trained("vocoder", values)
    whole = [file.read_bytes() for file in files]
    rows = np.genfromtxt(files[1], names=True, delimiter="\t")
    assert np.isnan(rows["m_stft"]).tolist() == [True, False, False]

    shutil.rmtree(".cache")
    fake.change_params(Path(), {"runtime": {"checkpoint_seconds": 0}})
    updates = MagNetTask.updates
    for stop in (7, 18, 21):

        def killed(task: MagNetTask, batch: Batch, step: int, stop: int = stop) -> Iterator[Update]:
            if step == stop:
                raise KeyboardInterrupt
            return updates(task, batch, step)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(MagNetTask, "updates", killed)
            trained("vocoder", values)
    trained("vocoder", values)
    said = capsys.readouterr().out
    assert all(f"resuming at step {stop} of 24" in said for stop in (7, 18, 21))
    assert [file.read_bytes() for file in files] == whole
