"""The same passage a little different each time, for training on few tracks.

Ko et al. 2015, "Audio augmentation for speech recognition" (speed), and Park et al. 2019,
"SpecAugment" (masks, https://arxiv.org/abs/1904.08779), on log-mel (frames, n_mels) in ln units.
"""

import math

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE

Float = NDArray[np.float32]


def frames_needed(frames: int, stretch: float) -> int:
    """Frames of a passage of which `frames` are left when it is played faster by `stretch`."""
    return math.ceil(frames * (1 + stretch))


def played(log_mel: Float, frames: int, speed: float, shift: int) -> Float:
    """The first `frames` frames at `speed` times the tempo, `shift` mel bands higher.

    log_mel: (at least `frames_needed(frames, speed - 1)`, n_mels) -> (frames, n_mels). Where bands
    are missing there is silence above, and below what the lowest band has.
    """
    at = np.arange(frames) * speed
    first = at.astype(int)
    mel = log_mel[first]
    if speed != 1:
        following = log_mel[np.minimum(first + 1, len(log_mel) - 1)]
        mel = mel + (following - mel) * (at - first)[:, None].astype(np.float32)
    if shift:
        mel = np.roll(mel, shift, 1)
        edge = slice(None, shift) if shift > 0 else slice(shift, None)
        mel[:, edge] = mel[:, [shift]] if shift > 0 else LOG_SILENCE
    return np.asarray(mel, np.float32)


def vary(
    clips: Float, frames: int, transpose: int, stretch: float, mask: float, rng: np.random.Generator
) -> Float:
    """Clips (count, frames_needed(frames, stretch), n_mels) -> (count, frames, n_mels).

    Each is shifted by up to `transpose` bands and played faster or slower by up to the part
    `stretch`; then a stripe of bands and one of frames, each up to the part `mask`, are silent.
    Nothing is drawn where all three are 0.
    """
    if not (transpose or stretch or mask):
        return clips
    speeds = 1 + stretch * rng.uniform(-1, 1, len(clips))
    shifts = rng.integers(-transpose, transpose + 1, len(clips)).tolist()
    made = [
        played(clip, frames, speed, shift)
        for clip, speed, shift in zip(clips, speeds.tolist(), shifts, strict=True)
    ]
    for mel in made:
        for stripes in (mel, mel.T):  # views: of frames, then of bands
            length = int(len(stripes) * mask * rng.random())
            start = int(rng.integers(len(stripes) - length + 1))
            stripes[start : start + length] = LOG_SILENCE
    return np.stack(made)
