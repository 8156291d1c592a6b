"""Params group `latent_prior`: the kind, and one group of settings for each kind."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class AutoregressiveParams(TrainSettings):
    """Sizes, training and sampling settings of kind `autoregressive`."""

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


@dataclass(frozen=True)
class FlowParams(TrainSettings):
    """Sizes, training and sampling settings of kind `flow`."""

    columns: Annotated[int, Range(ge=4)]
    components: Annotated[int, Range(ge=1)]
    channels: Annotated[int, Range(ge=4)]
    label_dropout: Annotated[float, Range(ge=0, lt=1)]
    average_decay: Annotated[float, Range(ge=0, lt=1)]
    solver_steps: Annotated[int, Range(ge=1)]
    guidance: Annotated[float, Range(ge=0)]


@dataclass(frozen=True)
class LatentPriorParams:
    """Which prior, and the settings of each; only those of the chosen kind count."""

    kind: Literal["autoregressive", "flow"]
    autoregressive: AutoregressiveParams
    flow: FlowParams
