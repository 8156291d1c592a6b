"""What a label's clips have in means and correlations, and nothing else: a Gaussian of each label.

It is where the generator of latents starts, and, of log-mel, what a trained model has to beat:
clips drawn from it sound like their label, and are without order in time.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.audio.mel import LOG_SILENCE

Float = NDArray[np.float32]


def principal_axes(examples: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean (*shape) and the `count` largest principal axes (count, *shape) of (examples, *shape).

    An axis is as long as the standard deviation along it, so that standard normal coefficients of
    the axes give a Gaussian with the examples' mean and, but for the axes left out, covariance.
    Axes beyond the examples' own number are 0.
    """
    flat = examples.flatten(1).double()
    mean = flat.mean(0)
    centred = flat - mean
    _, vectors = torch.linalg.eigh(centred @ centred.T)
    # eigh sorts them the other way round
    axes = vectors.flip(1)[:, :count].T @ centred / len(flat) ** 0.5
    axes = torch.cat([axes, axes.new_zeros(count - len(axes), axes.shape[1])])
    shape = examples.shape[1:]
    return mean.reshape(shape).float(), axes.reshape(-1, *shape).float()


def gaussian_clips(train: Float, axes: int, count: int, seed: int) -> Float:
    """`count` clips drawn from the Gaussian of training clips (clips, frames, n_mels)."""
    mean, basis = principal_axes(torch.from_numpy(train), axes)
    noise = torch.randn(count, axes, generator=torch.Generator().manual_seed(seed))
    clips = mean + torch.einsum("nk,kfm->nfm", noise, basis)
    return clips.clamp_min(LOG_SILENCE).numpy()
