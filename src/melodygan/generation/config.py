"""Params group `generate`."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range


@dataclass(frozen=True)
class GenerateParams:
    """What to make, and how much of it."""

    samples: Annotated[int, Range(ge=2)]  # clips of each model that invents some
    tracks: Annotated[int, Range(ge=1)]  # test tracks per label to convert and rebuild
    seconds: Annotated[float, Range(ge=3)]  # of each, from its start
