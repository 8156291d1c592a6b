"""Params group `cyclegan`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class CycleGANParams(TrainSettings):
    """Sizes, loss weights and training settings of the CycleGAN."""

    labels: list[str]  # two or more; none: all with tracks in every split
    frames: Annotated[int, Range(ge=32)]  # width of a training patch
    generator: Literal["resnet", "unet", "simple"]
    width: Annotated[int, Range(ge=1)]
    blocks: Annotated[int, Range(ge=1)]  # of resnet
    residual: bool  # a generator says what to add to its input, nothing at first
    cycle: Annotated[float, Range(ge=0)]
    identity: Annotated[float, Range(ge=0)]
    chroma: Annotated[float, Range(ge=0)]
    onset: Annotated[float, Range(ge=0)]
    calibrate: bool  # each band's levels after training
    pool: Annotated[int, Range(ge=0)]
    spectral_norm: bool  # in the discriminators, instead of instance norm
    transpose: Annotated[int, Range(ge=0, lt=32)]  # see dataset/vary.py
    stretch: Annotated[float, Range(ge=0, lt=0.5)]
    mask: Annotated[float, Range(ge=0, lt=1)]

    def __post_init__(self) -> None:
        if len(self.labels) == 1 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must name two or more different ones, or none: {self.labels}")
