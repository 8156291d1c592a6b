"""What every trained stage can set in its params group."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range


@dataclass(frozen=True)
class TrainSettings:
    """Common training settings; each model's params dataclass extends this one."""

    steps: Annotated[int, Range(ge=1)]
    batch_size: Annotated[int, Range(ge=1)]  # of all processes together
    lr: Annotated[float, Range(gt=0)]
    validate_every: Annotated[int, Range(ge=1)]  # steps
    patience: Annotated[int, Range(ge=0)]  # in validations; 0 = never stop early
    max_minutes: Annotated[float, Range(ge=0)]  # of training; 0 = no limit
    sample_every: Annotated[int, Range(ge=0)]  # steps between samples to look at; 0 = none
