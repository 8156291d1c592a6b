"""Params group `feature_gan`."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class FeatureGANParams(TrainSettings):
    """Sizes and training settings of the feature GAN."""

    hop: Annotated[int, Range(ge=1)]  # frames between the starts of training windows
    noise_dim: Annotated[int, Range(ge=1)]
    width: Annotated[int, Range(ge=4)]  # of the layers of generator and discriminator
    penalty: Annotated[float, Range(ge=0)]
    average_decay: Annotated[float, Range(ge=0, lt=1)]
