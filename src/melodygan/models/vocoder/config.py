"""Params group `vocoder`: the kind, and one group of settings for each kind."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class MagNetParams(TrainSettings):
    """Sizes and training settings of kind `magnet`."""

    frames: Annotated[int, Range(ge=8)]  # of a training crop
    channels: Annotated[int, Range(ge=4)]
    blocks: Annotated[int, Range(ge=1)]
    iterations: Annotated[int, Range(ge=1)]  # of Griffin-Lim


@dataclass(frozen=True)
class GriffinLimParams:
    """Settings of kind `griffinlim`, which learns nothing."""

    iterations: Annotated[int, Range(ge=1)]


@dataclass(frozen=True)
class VocoderParams:
    """Which vocoder, and the settings of each; only those of the chosen kind count."""

    kind: Literal["magnet", "griffinlim"]
    magnet: MagNetParams
    griffinlim: GriffinLimParams
