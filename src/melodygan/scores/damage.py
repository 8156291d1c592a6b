"""Ways to spoil clips that a score must notice, and one (blur) that must not count as disorder.

Every function takes and returns clips (clips, frames, n_mels), log-mel in ln units.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Float = NDArray[np.float32]


def shuffled(clips: Float, columns: int, rng: np.random.Generator) -> Float:
    """Each clip's columns of `columns` frames in random order; an incomplete last one stays.

    What stands in a column stays: timbre, chords and level are right, order in time is gone.
    """
    count = clips.shape[1] // columns
    used = count * columns
    out = clips.copy()
    for made, clip in zip(out, clips, strict=True):
        parts = clip[:used].reshape(count, columns, -1)[rng.permutation(count)]
        made[:used] = parts.reshape(used, -1)
    return out


def backwards(clips: Float) -> Float:
    """Each clip from its end to its start."""
    return np.ascontiguousarray(clips[:, ::-1])


def halves_swapped(clips: Float, rng: np.random.Generator) -> Float:
    """Each clip cut somewhere in its middle half, the second part first: one wrong seam."""
    frames = clips.shape[1]
    cuts = rng.integers(frames // 4, frames - frames // 4, len(clips))
    return np.stack([np.roll(c, -int(k), axis=0) for c, k in zip(clips, cuts, strict=True)])


def blurred(clips: Float, frames: float, bands: float) -> Float:
    """Gaussian blur with these standard deviations in time (frames) and in pitch (mel bands)."""
    image = torch.from_numpy(np.ascontiguousarray(clips))[:, None]
    image = _smooth(image, frames)
    image = _smooth(image.transpose(2, 3), bands).transpose(2, 3)
    return np.ascontiguousarray(image[:, 0].numpy())


def _smooth(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Along the last axis but one; the edge frame goes on for ever."""
    reach = int(np.ceil(3 * sigma))
    if reach == 0:
        return image
    reach = min(reach, image.shape[2])
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    padded = functional.pad(image, (0, 0, reach, reach), mode="replicate")
    return functional.conv2d(padded, (taps / taps.sum())[None, None, :, None])
