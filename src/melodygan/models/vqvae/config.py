"""Params group `vqvae`."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class VQVAEParams(TrainSettings):
    """Sizes and training settings of the VQ-VAE."""

    frames: Annotated[int, Range(ge=8)]
    channels: Annotated[int, Range(ge=4)]
    residual_blocks: Annotated[int, Range(ge=0)]
    downsamplings: Annotated[int, Range(ge=2, le=6)]
    codebook_size: Annotated[int, Range(ge=2)]
    code_dim: Annotated[int, Range(ge=1)]
    commitment: Annotated[float, Range(ge=0)]
    decay: Annotated[float, Range(gt=0, lt=1)]
    restart_below: Annotated[float, Range(ge=0, lt=0.5)]  # of the mean use

    def __post_init__(self) -> None:
        if self.frames % self.stride:
            raise ValueError(f"frames {self.frames} must be a multiple of {self.stride}")

    @property
    def stride(self) -> int:
        """Mel bins and frames per latent position."""
        return int(2**self.downsamplings)
