"""The two layouts of log-mel: files, scores and functions have (frames, n_mels), networks the rest.

Everything outside of a network's inputs and outputs is a numpy array of shape (frames, n_mels), or
(clips, frames, n_mels) for a set of clips; convolutions want (batch, n_mels, frames). Only these
two functions turn one into the other.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Float = NDArray[np.float32]


def to_network(log_mel: Float) -> Tensor:
    """(clips, frames, n_mels), or (frames, n_mels) of one clip, -> (batch, n_mels, frames)."""
    clips = log_mel[None] if log_mel.ndim == 2 else log_mel
    return torch.from_numpy(np.ascontiguousarray(clips.swapaxes(1, 2)))


def from_network(log_mel: Tensor) -> Float:
    """(batch, n_mels, frames) on any device -> (clips, frames, n_mels)."""
    return np.ascontiguousarray(log_mel.detach().float().cpu().numpy().swapaxes(1, 2))
