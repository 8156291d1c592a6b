"""Training settings that all kinds share."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class KindSettings(TrainSettings):
    """Those of every stage; a network that starts at trained weights can go without steps."""

    steps: Annotated[int, Range(ge=0)]
