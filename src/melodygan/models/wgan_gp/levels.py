"""Brings the levels of clips in each mel band to those of real clips, once training is over."""

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.histogram import BandHistograms

Float = NDArray[np.float32]

FRAMES = 20_000  # of either set, at most, that levels are measured on


def levels_between(found: Float, wanted: Float) -> BandHistograms:
    """The map from the levels of clips (clips, frames, n_mels) to those of others."""
    return BandHistograms.between(_some_frames(found), _some_frames(wanted))


def levelled(clips: Float, levels: BandHistograms) -> Float:
    """Clips (clips, frames, n_mels) with their levels corrected."""
    return levels(clips.reshape(-1, clips.shape[2])).reshape(clips.shape)


def _some_frames(clips: Float) -> Float:
    frames = clips.reshape(-1, clips.shape[2])
    return frames[:: -(-len(frames) // FRAMES)]
