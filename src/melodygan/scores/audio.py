"""How far a rebuilt sound is from the true one. All in torch, differentiable, any device."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.audio.mel import LOG_FLOOR, MelConfig, mel_inverse

RESOLUTIONS = (512, 1024, 2048)  # samples of the three windows; the hop is a quarter
POWER_FLOOR = 1e-7  # of |STFT|^2, as in the published implementation
SILENCE = 1.001 * LOG_FLOOR  # mel magnitude; the margin covers rounding of the logarithm
MAGNITUDE_FLOOR = 1e-3  # below it, errors are inaudible and would drown the audible ones
CHROMA_HZ = (250.0, 5000.0)  # below, a semitone is narrower than a bin; above, mostly noise


def log_mel_l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of two log-mels of one shape (ln units); a scalar, 0 if equal."""
    return (a - b).abs().mean()


def multi_resolution_stft(reference: Tensor, estimate: Tensor) -> Tensor:
    """M-STFT distance of two signals, (batch, samples) or (samples,); a scalar, 0 if equal.

    Mean over three resolutions of spectral convergence + L1 of the natural log-magnitude, as in
    Parallel WaveGAN (Yamamoto et al. 2020, https://arxiv.org/abs/1910.11480). Not symmetric:
    spectral convergence is relative to the reference.
    """
    parts = []
    for size in RESOLUTIONS:
        true, made = _magnitude(reference, size), _magnitude(estimate, size)
        convergence = (true - made).norm(dim=(-2, -1)) / true.norm(dim=(-2, -1))
        log_l1 = (true.log() - made.log()).abs().mean((-2, -1))
        parts.append(convergence + log_l1)
    return torch.stack(parts).mean()


def log_magnitude_l1(answer: Tensor, magnitude: Tensor, floor: float = MAGNITUDE_FLOOR) -> Tensor:
    """Mean absolute error of a natural log-magnitude; a scalar.

    Where the truth is below `floor`, any answer below it is right. (Flooring both sides would be
    the same measure for loud bins, but give none a slope that starts below the floor, as all bins
    above `fmax` do.)
    """
    error = answer - magnitude.clamp_min(floor).log()
    return torch.where(magnitude > floor, error.abs(), error.relu()).mean()


def chroma_cosine(reference: Tensor, other: Tensor, config: MelConfig) -> Tensor:
    """Do two log-mels (batch, n_mels, frames) play the same notes? A scalar in [0, 1], 1 if equal.

    Cosine of the 12 pitch classes' energy frame by frame, averaged with the reference's energy as
    weight, so that its silences do not count. 0 for a silent reference.
    """
    a, b = chroma(reference, config), chroma(other, config)
    norm_a, norm_b = a.norm(dim=1), b.norm(dim=1)
    cosine = (a * b).sum(1) / (norm_a * norm_b).clamp_min(1e-12)
    return (cosine * norm_a).sum() / norm_a.sum().clamp_min(1e-12)


def chroma(log_mel: Tensor, config: MelConfig) -> Tensor:
    """Magnitude per pitch class (C = 0): (batch, n_mels, frames) -> (batch, 12, frames)."""
    heard = (log_mel.exp() - SILENCE).clamp_min(0)  # so that silence has no pitch
    inverse = torch.tensor(mel_inverse(config), device=log_mel.device)
    magnitude = (inverse @ heard).clamp_min(0)
    return torch.tensor(_pitch_classes(config), device=log_mel.device) @ magnitude


def _magnitude(audio: Tensor, size: int) -> Tensor:
    spec = torch.stft(
        audio,
        size,
        size // 4,
        window=torch.hann_window(size, device=audio.device),
        return_complex=True,
    )
    return (spec.real**2 + spec.imag**2).clamp_min(POWER_FLOOR).sqrt()


@lru_cache(maxsize=8)
def _pitch_classes(config: MelConfig) -> NDArray[np.float32]:
    """Which pitch class each bin belongs to, equal temperament at A4 = 440 Hz; (12, n_bins)."""
    hz = np.linspace(0, config.sample_rate / 2, config.n_bins)
    inside = (hz >= CHROMA_HZ[0]) & (hz <= CHROMA_HZ[1])
    semitone = np.round(12 * np.log2(np.maximum(hz, 1.0) / 440.0)).astype(int) + 9
    member = (semitone % 12 == np.arange(12)[:, None]) & inside
    return member.astype(np.float32)
