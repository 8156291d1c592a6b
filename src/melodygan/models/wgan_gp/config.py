"""Params group `wgan_gp`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class WGANGPParams(TrainSettings):
    """Sizes and training settings of the conditional WGAN-GP."""

    space: Literal["mel", "latent"]
    frames: Annotated[int, Range(ge=16)]  # of a clip
    components: Annotated[int, Range(ge=1)]
    noise_dim: Annotated[int, Range(ge=1)]
    label_dim: Annotated[int, Range(ge=1)]
    channels: Annotated[int, Range(ge=4)]
    critic_steps: Annotated[int, Range(ge=1)]
    penalty: Annotated[float, Range(ge=0)]
    calibrate: bool  # each band's levels after training
    average_decay: Annotated[float, Range(ge=0, lt=1)]
