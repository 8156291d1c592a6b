"""Griffin-Lim: it converges, faster with momentum, and closer to the mel when it knows the mel."""

import pytest
import torch
from torch import Tensor

from melodygan.audio.griffin_lim import (
    griffin_lim,
    match_mel,
    mel_griffin_lim,
    mel_to_magnitude,
    peak_phase,
)
from melodygan.audio.mel import MelConfig, mel_filterbank
from melodygan.audio.stft import batch_log_mel, istft, mel_of_magnitude, stft

FULL = MelConfig(22050, 1024, 256, 1024, 128, 0.0, 11025.0)
LOW = MelConfig(22050, 1024, 256, 1024, 40, 200.0, 4000.0)


@pytest.fixture(scope="module")
def audio() -> Tensor:
    """2 s of three decaying chords of harmonic tones over faint noise, (1, samples)."""
    time = torch.arange(172 * 256) / 22050
    sound = torch.zeros_like(time)
    for start, root in ((0.0, 220.0), (0.6, 261.6), (1.3, 196.0)):
        for ratio in (1.0, 1.26, 1.5):
            for harmonic in range(1, 9):
                tone = torch.sin(2 * torch.pi * root * ratio * harmonic * time) / harmonic
                sound += tone * torch.exp(-3 * (time - start)) * (time >= start)
    faint = torch.randn(time.shape, generator=torch.Generator().manual_seed(0))
    return (0.1 * sound + 0.002 * faint)[None]


def distance(audio: Tensor, magnitude: Tensor, config: MelConfig) -> float:
    """Spectral convergence."""
    return float((stft(audio, config).abs() - magnitude).norm() / magnitude.norm())


def test_more_iterations_come_closer_and_momentum_comes_closer_still(audio: Tensor) -> None:
    magnitude = stft(audio, FULL).abs()
    fast = [distance(griffin_lim(magnitude, FULL, n), magnitude, FULL) for n in (0, 8, 32, 64)]
    plain = distance(griffin_lim(magnitude, FULL, 32, momentum=0.0), magnitude, FULL)
    assert fast == sorted(fast, reverse=True)
    assert fast[2] < 0.8 * plain


def test_result_depends_on_the_seed_alone_and_has_whole_hops(audio: Tensor) -> None:
    magnitude = stft(audio, FULL).abs()
    first = griffin_lim(magnitude, FULL, 4, seed=1)
    torch.manual_seed(5)
    assert torch.equal(griffin_lim(magnitude, FULL, 4, seed=1), first)
    assert not torch.equal(griffin_lim(magnitude, FULL, 4, seed=2), first)
    assert first.shape == (1, magnitude.shape[2] * 256)


def test_batch_members_do_not_touch_each_other(audio: Tensor) -> None:
    mel = batch_log_mel(torch.cat([audio, audio.flip(1)]), FULL)
    both = mel_griffin_lim(mel, mel_to_magnitude(mel, FULL), FULL, 8)
    alone = mel_griffin_lim(mel[1:], mel_to_magnitude(mel[1:], FULL), FULL, 8)
    assert torch.allclose(both[1:], alone, atol=1e-4)


def test_peak_phases_rebuild_a_steady_tone_without_iterations() -> None:
    tone = 0.5 * torch.sin(2 * torch.pi * 1234.5 / 22050 * torch.arange(60 * 256))[None]
    magnitude = stft(tone, FULL).abs().clamp_min(1e-5)
    rebuilt = istft(magnitude * peak_phase(magnitude, FULL), FULL)
    inner = slice(10, 50)  # the ends are reflections, where the tone is not steady
    error = stft(rebuilt, FULL).abs()[..., inner] - magnitude[..., inner]
    assert float(error.norm() / magnitude[..., inner].norm()) < 0.05


def test_peak_phases_are_finite_on_silence_and_flat_spectra() -> None:
    phase = peak_phase(torch.full((1, 513, 5), 1e-5), FULL)
    assert torch.allclose(phase.abs(), torch.ones_like(phase.real))


@pytest.mark.parametrize("config", [FULL, LOW], ids=["full band", "narrow band"])
def test_matched_magnitude_has_the_mel_and_uncovered_bins_stay(
    audio: Tensor, config: MelConfig
) -> None:
    mel = batch_log_mel(audio, config)
    start = torch.full_like(stft(audio, config).abs(), 0.1)
    errors = [
        float((mel_of_magnitude(match_mel(start, mel, config, n), config) - mel).abs().mean())
        for n in (0, 1, 5, 50)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02
    uncovered = ~torch.tensor(mel_filterbank(config)).any(0)
    assert uncovered.any()
    kept = match_mel(start, mel, config, 5)[:, uncovered]
    assert torch.equal(kept, start[:, uncovered])


@pytest.mark.parametrize(
    "config",
    [FULL, LOW, MelConfig(22050, 1024, 256, 1024, 7, 0.0, 8000.0)],
    ids=["full band", "narrow band", "few filters"],
)
def test_a_round_of_matching_is_the_update_of_the_paper(audio: Tensor, config: MelConfig) -> None:
    """Written out with the whole matrix of filters, in double precision."""
    mel, start = batch_log_mel(audio, config), stft(audio, config).abs().clamp_min(1e-5)
    filters = torch.tensor(mel_filterbank(config)).double()
    cover = filters.sum(0)[:, None]
    ratio = mel.double().exp() / (filters @ start.double()).clamp_min(1e-5)
    gain = torch.where(cover > 0, filters.T @ ratio / cover.clamp_min(1e-30), 1.0)
    wanted = (start * gain).clamp_min(1e-5)
    torch.testing.assert_close(match_mel(start, mel, config).double(), wanted, rtol=1e-4, atol=0)


def test_knowing_the_mel_halves_its_error(audio: Tensor) -> None:
    mel = batch_log_mel(audio, FULL)
    magnitude = mel_to_magnitude(mel, FULL)
    plain = (batch_log_mel(griffin_lim(magnitude, FULL, 32), FULL) - mel).abs().mean()
    joint = (batch_log_mel(mel_griffin_lim(mel, magnitude, FULL, 32), FULL) - mel).abs().mean()
    assert joint < 0.5 * plain


def test_first_magnitude_outside_the_mel_is_kept(audio: Tensor) -> None:
    mel, truth = batch_log_mel(audio, LOW), stft(audio, LOW).abs().clamp_min(1e-5)
    above = slice(220, None)  # bins above 4.7 kHz
    sound = mel_griffin_lim(mel, truth, LOW, 32)
    rebuilt = stft(sound, LOW).abs()[:, above].mean()
    assert rebuilt == pytest.approx(float(truth[:, above].mean()), rel=0.3)
