"""The short-time Fourier transform: framing, scale, exact inverse, and parity with numpy's mel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.audio import mel
from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.audio.stft import batch_log_mel, istft, stft

DEFAULT = MelConfig(22050, 1024, 256, 1024, 128, 0.0, 11025.0)
CONFIGS = {
    "default": DEFAULT,
    "short window": MelConfig(16000, 512, 128, 400, 40, 0.0, 8000.0),
    "hop that divides nothing": MelConfig(16000, 1024, 300, 1024, 40, 0.0, 8000.0),
}


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_inverse_gives_back_every_sample_ends_included(config: MelConfig) -> None:
    audio = noise(20 * config.hop_length)
    assert torch.allclose(istft(stft(audio, config), config), audio, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(385, 6000))
def test_any_length_gives_whole_hops_of_frames(samples: int) -> None:
    spec = stft(noise(samples), DEFAULT)
    assert spec.shape == (2, 513, samples // 256)
    assert istft(spec, DEFAULT).shape == (2, samples // 256 * 256)


def test_sinusoid_on_a_bin_has_half_the_window_sum_as_magnitude() -> None:
    amplitude, k = 0.5, 40
    audio = amplitude * torch.sin(2 * torch.pi * k / 1024 * torch.arange(8192))
    magnitude = stft(audio[None], DEFAULT).abs()[0, :, 8:24]
    assert torch.allclose(magnitude[k], torch.full((16,), amplitude * 512 / 2), rtol=1e-3)
    assert (magnitude.argmax(0) == k).all()


def test_energy_of_a_frame_is_that_of_its_windowed_samples() -> None:
    audio = noise(4096)
    frame = stft(audio, DEFAULT)[:, :, 7].abs() ** 2
    energy = (frame[:, 0] + 2 * frame[:, 1:-1].sum(1) + frame[:, -1]) / 1024
    start = 7 * 256 - DEFAULT.padding
    windowed = audio[:, start : start + 1024] * torch.tensor(mel.window(DEFAULT))
    assert torch.allclose(energy, (windowed**2).sum(1), rtol=1e-4)


def test_a_click_is_loudest_in_the_frame_centred_on_it() -> None:
    audio = torch.zeros(1, 8192)
    audio[0, 10 * 256 + 128] = 1.0
    assert int(stft(audio, DEFAULT).abs().sum(1).argmax()) == 10


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_log_mel_equals_the_numpy_one(config: MelConfig) -> None:
    audio = noise(30 * config.hop_length + 77)
    expected = mel.log_mel(audio[0].numpy(), config)
    assert np.allclose(batch_log_mel(audio, config)[0].T.numpy(), expected, atol=2e-4)


def test_silence_has_the_floor_and_a_finite_gradient() -> None:
    audio = torch.zeros(1, 4096, requires_grad=True)
    value = batch_log_mel(audio, DEFAULT)
    value.sum().backward()
    assert torch.allclose(value, torch.tensor(LOG_SILENCE))
    assert audio.grad is not None and audio.grad.isfinite().all()


def test_audio_shorter_than_its_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 385"):
        stft(torch.zeros(1, 384), DEFAULT)
