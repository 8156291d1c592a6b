"""What every trained stage can set in its params group."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range


@dataclass(frozen=True)
class TrainSettings:
    """Common training settings; each model's params dataclass extends this one."""

    steps: Annotated[int, Range(ge=1)]
    batch_size: Annotated[int, Range(ge=1)]
    lr: Annotated[float, Range(gt=0)]
    validate_every: Annotated[int, Range(ge=1)]  # steps
    patience: Annotated[int, Range(ge=0)]  # in validations; 0 = never stop early
