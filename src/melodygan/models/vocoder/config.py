"""Params group `vocoder`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class VocoderParams(TrainSettings):
    """Kind, sizes and training settings of the vocoder; `griffinlim` uses none but iterations."""

    kind: Literal["magnet", "griffinlim"]
    frames: Annotated[int, Range(ge=8)]  # of a training crop
    channels: Annotated[int, Range(ge=4)]
    blocks: Annotated[int, Range(ge=1)]
    iterations: Annotated[int, Range(ge=1)]  # of Griffin-Lim
