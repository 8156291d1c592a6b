"""Lengths of mels and sounds: what a network's padding and its hop ask for."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.errors import UserError


def at_least(log_mel: Tensor, frames: int) -> Tensor:
    """(batch, n_mels, any) -> the same with its last frame repeated until there are `frames`."""
    missing = frames - log_mel.shape[-1]
    if missing <= 0:
        return log_mel
    return torch.cat([log_mel, log_mel[..., -1:].expand(-1, -1, missing)], -1)


def reflected(audio: MelConfig) -> int:
    """Frames that a sound must have before its ends can be reflected for a transform."""
    return audio.padding // audio.hop_length + 1


def upsampling_reach(rates: Sequence[int], ends: int, spread: int) -> int:
    """Frames on each side that a sample of a stack of upsampling layers depends on.

    ends: kernel of the first and the last convolution. spread: samples on each side that the
    residual blocks after a layer depend on.
    """
    reach, scale = ends // 2 + 0.0, 1
    for rate in rates:
        reach += 1 / scale  # a sample of a transposed convolution has two inputs
        scale *= rate
        reach += spread / scale
    return math.ceil(reach + (ends // 2) / scale)


def require_hop(rates: Sequence[int], audio: MelConfig, kind: str) -> None:
    """Raise UserError unless the rates of upsampling layers multiply to the hop."""
    if math.prod(rates) != audio.hop_length:
        raise UserError(
            f"vocoder.{kind}.rates {list(rates)} multiply to {math.prod(rates)}, but "
            f"audio.hop_length is {audio.hop_length}: they must be equal"
        )
