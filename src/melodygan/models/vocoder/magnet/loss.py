"""What MagNet minimises: how far the magnitude is from the true one, and the sound made of it."""

import torch
from torch import Tensor

from melodygan.audio.griffin_lim import peak_phase
from melodygan.audio.mel import LOG_FLOOR, MelConfig
from melodygan.audio.stft import istft, stft
from melodygan.scores.audio import log_magnitude_l1, multi_resolution_stft

FLOOR = 3e-4  # magnitude; where the truth is below it, any answer below it is right
BESIDE = 0.1  # weight of the magnitude's losses beside the sound's


def magnitude_losses(answer: Tensor, magnitude: Tensor) -> dict[str, Tensor]:
    """L1 of the log-magnitude, and of the magnitude itself relative to its mean; scalars.

    answer: log-magnitude, of the magnitude's shape. The logarithm hears every bin alike, so that
    it alone gives away loud peaks for quiet noise.
    """
    logarithmic = log_magnitude_l1(answer, magnitude, FLOOR)
    linear = (answer.exp() - magnitude).abs().mean() / magnitude.mean().clamp_min(FLOOR)
    return {"log_magnitude": logarithmic, "magnitude": linear}


def sound_loss(answer: Tensor, sound: Tensor, audio: MelConfig) -> Tensor:
    """M-STFT of the sound that one iteration of Griffin-Lim makes of a magnitude; a scalar.

    answer: its logarithm (batch, bins, frames); sound: the true one (batch, frames * hop_length).
    The score is made of the sound, in which errors of the magnitude count that no phases mend.
    More iterations would cost more and teach no more (docs/benchmarks.md). The ends are left out:
    their windows saw a reflection of the crop, not what is before and after it in the track.
    """
    inside = slice(audio.padding, sound.shape[1] - audio.padding)
    return multi_resolution_stft(sound[:, inside], synthesis(answer, audio)[:, inside])


def synthesis(log_magnitude: Tensor, audio: MelConfig) -> Tensor:
    """Sound (batch, samples) after one iteration of Griffin-Lim; the magnitude has a gradient."""
    magnitudes = log_magnitude.exp().clamp_min(LOG_FLOOR)
    phases = peak_phase(magnitudes, audio)
    found = stft(istft(magnitudes * phases, audio), audio)
    return istft(magnitudes * found / found.abs().clamp_min(1e-8), audio)


def total(magnitude: dict[str, Tensor], sound: Tensor | None = None) -> Tensor:
    """What is minimised: `magnitude_losses`, or the sound's loss and a tenth of these."""
    parts = list(magnitude.values())
    if sound is not None:
        parts = [*(BESIDE * part for part in parts), sound]
    return torch.stack(parts).sum()
