"""Params group `latent_gan`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class LatentGANParams(TrainSettings):
    """Sizes and training settings of the latent GAN."""

    components: Annotated[int, Range(ge=1)]
    noise_dim: Annotated[int, Range(ge=1)]
    channels: Annotated[int, Range(ge=4)]
    loss: Literal["vanilla", "hinge", "wgan_gp"]
    conditional: bool
    penalty: Annotated[float, Range(ge=0)]
    penalty_every: Annotated[int, Range(ge=1)]
    average_decay: Annotated[float, Range(ge=0, lt=1)]
