"""Params group `vqvae`."""

from dataclasses import dataclass
from typing import Annotated

from melodygan.pipeline.params import Range
from melodygan.training.settings import TrainSettings


@dataclass(frozen=True)
class VQVAEParams(TrainSettings):
    """Sizes and training settings of the VQ-VAE.

    stride: mel bins and frames of the patch that one latent position stands for. crop: frames of a
    training example; frames: of the clips that generators of latents make.
    """

    crop: Annotated[int, Range(ge=8)]
    frames: Annotated[int, Range(ge=8)]
    stride: Annotated[int, Range(ge=2, le=64)]
    channels: Annotated[int, Range(ge=4)]
    residual_blocks: Annotated[int, Range(ge=0)]
    codebooks: Annotated[int, Range(ge=1, le=8)]
    codebook_size: Annotated[int, Range(ge=2)]
    code_dim: Annotated[int, Range(ge=1)]
    commitment: Annotated[float, Range(ge=0)]
    decay: Annotated[float, Range(gt=0, lt=1)]
    restart_below: Annotated[float, Range(ge=0, lt=0.5)]  # of the mean use

    def __post_init__(self) -> None:
        if self.stride % 2:
            raise ValueError(f"stride {self.stride} must be even")
        for name, length in (("crop", self.crop), ("frames", self.frames)):
            if length % self.stride:
                raise ValueError(f"{name} {length} must be a multiple of {self.stride}, the stride")
