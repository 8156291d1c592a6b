"""Params group `pix2pix`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class Pix2PixParams(TrainSettings):
    """Sizes, loss weight and training settings of Pix2Pix."""

    task: Literal["instrumental", "vocals"]  # what is to be made of the mix
    frames: Annotated[int, Range(ge=32)]  # width of a training patch
    width: Annotated[int, Range(ge=1)]  # channels of the first level
    output: Literal["mask", "direct"]
    dropout: Annotated[float, Range(ge=0, lt=1)]  # in the three inner levels of the way up
    l1: Annotated[float, Range(ge=0)]  # weight beside the adversarial loss
