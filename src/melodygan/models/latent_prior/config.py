"""Params group `latent_prior`."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class LatentPriorParams(TrainSettings):
    """Sizes, training and sampling settings of the autoregressive prior."""

    columns: Annotated[int, Range(ge=4)]
    channels: Annotated[int, Range(ge=16)]
    layers: Annotated[int, Range(ge=1)]
    heads: Annotated[int, Range(ge=1)]
    dropout: Annotated[float, Range(ge=0, lt=1)]
    label_dropout: Annotated[float, Range(ge=0, lt=1)]
    weight_decay: Annotated[float, Range(ge=0)]
    soften: Annotated[float, Range(ge=0)]
    transpose: Annotated[int, Range(ge=0)]
    stretch: Annotated[float, Range(ge=0, lt=0.5)]
    temperature: Annotated[float, Range(gt=0)]
    top_p: Annotated[float, Range(gt=0, le=1)]
    guidance: Annotated[float, Range(ge=0)]

    def __post_init__(self) -> None:
        if self.channels % (4 * self.heads):
            raise ValueError(
                f"channels {self.channels} must be a multiple of 4 * heads = {4 * self.heads}"
            )
