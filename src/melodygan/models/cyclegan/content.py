"""What a conversion must not lose, as losses: the notes and the onsets of each patch.

They follow the scores of `scores/content.py`, so a good score there shows that these losses
generalise to whole held-out songs, not that the song is kept in every sense.
"""

import torch
from torch import Tensor

from melodygan.audio.mel import MelConfig
from melodygan.scores.audio import chroma
from melodygan.scores.embedding import DYNAMIC_RANGE


def chroma_loss(config: MelConfig, source: Tensor, made: Tensor) -> Tensor:
    """1 - cosine of the pitch classes' deviations from their means over time; a scalar in [0, 2].

    source, made: log-mel (batch, n_mels, frames) in ln units.
    """
    return 1 - _cosine(_pitch(source, config), _pitch(made, config))


def onset_loss(source: Tensor, made: Tensor) -> Tensor:
    """1 - correlation of the onset envelopes; a scalar in [0, 2]. Shapes as for `chroma_loss`."""
    return 1 - _cosine(_onsets(source), _onsets(made))


def _pitch(log_mel: Tensor, config: MelConfig) -> Tensor:
    notes = chroma(log_mel, config)
    notes = notes / (notes.norm(dim=1, keepdim=True) + 1e-4)
    return notes - notes.mean(2, keepdim=True)


def _onsets(log_mel: Tensor) -> Tensor:
    floor = log_mel.detach().amax((1, 2), keepdim=True) - DYNAMIC_RANGE
    rises = torch.maximum(log_mel, floor).diff(dim=2).relu().mean(1)
    return rises - rises.mean(1, keepdim=True)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    """Mean over the batch."""
    a, b = a.flatten(1), b.flatten(1)
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).mean()
