"""Torch's side of the audio convention: short-time Fourier transform, its inverse, and log-mel.

The framing is that of `audio/mel.py`. Everything here runs on any device and is differentiable,
so losses and Griffin-Lim share it with the models.
"""

import torch
from torch import Tensor
from torch.nn import functional

from melodygan.audio.mel import LOG_FLOOR, MelConfig, mel_filterbank, window

TINY = 1e-8  # smaller sums of squared windows carry no signal: dividing by them adds only noise


def stft(audio: Tensor, config: MelConfig) -> Tensor:
    """Complex spectrogram: (batch, samples) -> (batch, bins, frames), frames = samples // hop.

    Frame i is centred on sample (i + 1/2) * hop; the ends are reflected, nothing is centred.
    Raises ValueError when the audio is not longer than the padding it must supply.
    """
    if audio.shape[-1] <= config.padding:
        raise ValueError(
            f"{audio.shape[-1]} samples are too few for one frame: at least "
            f"{config.padding + 1} are needed"
        )
    padded = functional.pad(audio, (config.padding, config.padding), mode="reflect")
    return torch.stft(
        padded,
        config.n_fft,
        config.hop_length,
        window=_window(config, audio),
        center=False,
        return_complex=True,
    )


def istft(spec: Tensor, config: MelConfig) -> Tensor:
    """Least-squares inverse of `stft` (Griffin and Lim 1984): (batch, bins, frames) -> audio.

    Returns (batch, frames * hop_length). A consistent spectrogram is inverted exactly; one that
    no signal has gives the signal whose spectrogram is nearest.
    """
    hann = _window(config, spec.real)
    frames = spec.shape[-1]
    pieces = torch.fft.irfft(spec.mT, config.n_fft) * hann
    total = overlap_add(pieces, config.hop_length)
    weight = overlap_add((hann**2).expand(1, frames, -1), config.hop_length)
    inside = slice(config.padding, config.padding + frames * config.hop_length)
    return total[:, inside] / weight[:, inside].clamp_min(TINY)


def batch_log_mel(audio: Tensor, config: MelConfig) -> Tensor:
    """Differentiable log-mel: (batch, samples) -> (batch, n_mels, frames), natural log.

    Equal to the numpy `audio.mel.log_mel` up to rounding, in the layout of networks.
    """
    return mel_of_magnitude(stft(audio, config).abs(), config)


def mel_of_magnitude(magnitude: Tensor, config: MelConfig) -> Tensor:
    """Log-mel of a linear magnitude, (batch, bins, frames) -> (batch, n_mels, frames)."""
    filters = torch.tensor(mel_filterbank(config), device=magnitude.device)
    return (filters @ magnitude).clamp_min(LOG_FLOOR).log()


def overlap_add(pieces: Tensor, hop: int) -> Tensor:
    """Sum pieces (batch, frames, n_fft) at steps of `hop` into (batch, samples).

    Adding slices hop by hop takes a third of the time of torch's `fold`.
    """
    batch, frames, size = pieces.shape
    total = pieces.new_zeros(batch, frames + -(-size // hop) - 1, hop)
    for i, part in enumerate(pieces.split(hop, dim=-1)):
        total[:, i : i + frames, : part.shape[-1]] += part
    return total.flatten(1)


def _window(config: MelConfig, like: Tensor) -> Tensor:
    return torch.tensor(window(config), device=like.device)
