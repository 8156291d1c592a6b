"""The scale of the described model, which ends in a ReLU: log1p of the mel magnitude.

The pipeline's log-mel is the natural log of the magnitude, at least LOG_SILENCE; what a vocoder is
trained on. Both functions are exact inverses of each other above that floor.
"""

import math

from torch import Tensor

from melodygan.audio.mel import LOG_FLOOR, LOG_SILENCE

GAIN = 1e3  # below 1 / GAIN of full scale (-60 dB) the scale is linear, above it logarithmic
TOP = math.log1p(GAIN * math.exp(2.0))  # of loud music: ln units of 2


def to_log1p(log_mel: Tensor) -> Tensor:
    """Log-mel in ln units -> log1p(GAIN * magnitude) / TOP, about 0 to 1."""
    return (GAIN * log_mel.exp()).log1p() / TOP


def to_log_mel(scaled: Tensor) -> Tensor:
    """Back; 0 becomes silence."""
    magnitude = (scaled * TOP).expm1() / GAIN
    return magnitude.clamp_min(LOG_FLOOR).log().clamp_min(LOG_SILENCE)
