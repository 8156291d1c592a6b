"""Scores of rebuilt sound: zero (or one) for equal input, worse for more noise or other notes."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from melodygan.audio.mel import MelConfig
from melodygan.audio.stft import batch_log_mel
from melodygan.scores.audio import chroma, chroma_cosine, log_mel_l1, multi_resolution_stft

CONFIG = MelConfig(22050, 1024, 256, 1024, 128, 0.0, 11025.0)


def chord(*notes: float, rate: float = 22050, samples: int = 32 * 1024) -> Tensor:
    """Harmonic tones at `notes` Hz, (1, samples)."""
    time = torch.arange(samples) / rate
    tones = [torch.sin(2 * torch.pi * n * k * time) / k for n in notes for k in range(1, 6)]
    return 0.1 * torch.stack(tones).sum(0)[None]


@pytest.fixture(scope="module")
def audio() -> Tensor:
    return chord(440.0, 554.4, 659.3)


@pytest.fixture(scope="module")
def noise(audio: Tensor) -> Tensor:
    return torch.randn(audio.shape, generator=torch.Generator().manual_seed(0))


def test_distances_are_zero_for_equal_and_grow_with_noise(audio: Tensor, noise: Tensor) -> None:
    m_stft = [float(multi_resolution_stft(audio, audio + a * noise)) for a in (0, 1e-3, 1e-2, 0.1)]
    mel = batch_log_mel(audio, CONFIG)
    l1 = [
        float(log_mel_l1(mel, batch_log_mel(audio + a * noise, CONFIG)))
        for a in (0, 1e-3, 1e-2, 0.1)
    ]
    for values in (m_stft, l1):
        assert values[0] == 0
        assert all(a < b for a, b in pairwise(values))


def test_log_mel_l1_is_symmetric(audio: Tensor, noise: Tensor) -> None:
    a, b = batch_log_mel(audio, CONFIG), batch_log_mel(noise, CONFIG)
    assert log_mel_l1(a, b) == log_mel_l1(b, a)


def test_m_stft_of_silence_is_convergence_one_plus_log_distance(audio: Tensor) -> None:
    louder = multi_resolution_stft(audio, 2 * audio)
    # doubling: convergence 1, log-magnitude off by ln 2 in all bins above the floor
    assert 1.0 < float(louder) <= 1 + 0.6932
    assert float(multi_resolution_stft(audio, torch.zeros_like(audio))) > 1.0


def test_m_stft_is_blind_to_sign_and_differentiable(audio: Tensor, noise: Tensor) -> None:
    assert float(multi_resolution_stft(audio, -audio)) == pytest.approx(0.0, abs=1e-6)
    estimate = (audio + 0.01 * noise).requires_grad_()
    multi_resolution_stft(audio, estimate).backward()
    assert estimate.grad is not None and estimate.grad.isfinite().all()


def test_m_stft_averages_over_the_batch(audio: Tensor, noise: Tensor) -> None:
    one = multi_resolution_stft(audio, audio + 0.1 * noise)
    two = multi_resolution_stft(audio.repeat(2, 1), torch.cat([audio + 0.1 * noise, audio]))
    assert float(two) == pytest.approx(float(one) / 2, rel=1e-5)


@pytest.mark.parametrize(("hz", "pitch"), [(440.0, 9), (523.25, 0), (1975.5, 11)])
def test_a_note_is_loudest_in_its_pitch_class(hz: float, pitch: int) -> None:
    tone = torch.sin(2 * torch.pi * hz / 22050 * torch.arange(32 * 1024))[None]
    assert (chroma(batch_log_mel(tone, CONFIG), CONFIG)[0, :, 4:-4].argmax(0) == pitch).all()


def test_chroma_cosine_knows_the_same_notes_in_another_timbre_from_other_notes(
    audio: Tensor, noise: Tensor
) -> None:
    mel = batch_log_mel(audio, CONFIG)
    bright = batch_log_mel(torch.tanh(8 * audio), CONFIG)
    other = batch_log_mel(chord(493.9, 622.3, 740.0), CONFIG)
    same, different = chroma_cosine(mel, bright, CONFIG), chroma_cosine(mel, other, CONFIG)
    assert float(chroma_cosine(mel, mel, CONFIG)) == pytest.approx(1.0)
    assert same > 0.85
    assert different < 0.6
    assert different < chroma_cosine(mel, batch_log_mel(noise, CONFIG), CONFIG) < same


def test_silence_counts_neither_as_right_nor_as_a_crash(audio: Tensor) -> None:
    mel = batch_log_mel(audio, CONFIG)
    silent = batch_log_mel(torch.zeros_like(audio), CONFIG)
    assert float(chroma_cosine(silent, mel, CONFIG)) == 0
    assert float(chroma_cosine(mel, silent, CONFIG)) == 0
    half = torch.cat([mel, silent], dim=2)
    assert float(chroma_cosine(half, half, CONFIG)) == pytest.approx(1.0)
