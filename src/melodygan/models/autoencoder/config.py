"""Params group `autoencoder`."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class AutoencoderParams(TrainSettings):
    """Sizes and training settings of the autoencoder."""

    hop: Annotated[int, Range(ge=1)]  # frames between the starts of training windows
    widths: Annotated[list[int], Range(ge=1)]  # of the encoder's layers; the decoder mirrors them
    latent: Annotated[int, Range(ge=1)]
    dropout: Annotated[float, Range(ge=0, lt=1)]
    weight_decay: Annotated[float, Range(ge=0)]
    mixup: Annotated[float, Range(ge=0, le=1)]
    equaliser: Annotated[float, Range(ge=0)]
