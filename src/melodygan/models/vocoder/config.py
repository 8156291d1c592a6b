"""Params group `vocoder`: the kind, and one group of settings for each kind."""

from dataclasses import dataclass
from typing import Annotated, Literal

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.settings import KindSettings
from melodygan.pipeline.params import Range

QUALITIES = {"fast": 5, "good": 32, "best": 64}  # iterations of MagNet's Griffin-Lim


@dataclass(frozen=True)
class MagNetParams(KindSettings):
    """Sizes and training settings of kind `magnet`."""

    frames: Annotated[int, Range(ge=8)]  # of a training crop
    channels: Annotated[int, Range(ge=4)]
    blocks: Annotated[int, Range(ge=1)]
    quality: Literal["fast", "good", "best"]


@dataclass(frozen=True)
class HiFiGANParams(KindSettings):
    """Kind `hifigan`. V1, V2 and V3 of the paper differ in channels, rates and block."""

    frames: Annotated[int, Range(ge=8)]  # of a training crop
    channels: Annotated[int, Range(ge=16)]
    rates: Annotated[list[int], Range(ge=2)]
    block: Annotated[int, Range(ge=1, le=2)]
    discriminator_channels: Annotated[int, Range(ge=0)]

    def __post_init__(self) -> None:
        if self.channels % 2 ** len(self.rates):
            layers = f"each of {len(self.rates)} rates"
            raise ValueError(f"channels {self.channels} cannot be halved by {layers}")
        if self.discriminator_channels % 4:
            raise ValueError("discriminator_channels must be a multiple of 4")


@dataclass(frozen=True)
class MelGANParams(KindSettings):
    """Kind `melgan`."""

    frames: Annotated[int, Range(ge=8)]  # of a training crop
    channels: Annotated[int, Range(ge=1)]
    rates: Annotated[list[int], Range(ge=2)]
    discriminator_channels: Annotated[int, Range(ge=4)]

    def __post_init__(self) -> None:
        if self.discriminator_channels % 4:
            raise ValueError("discriminator_channels must be a multiple of 4")


@dataclass(frozen=True)
class VocosParams(KindSettings):
    """Kind `vocos`."""

    frames: Annotated[int, Range(ge=8)]  # of a training crop
    channels: Annotated[int, Range(ge=4)]
    blocks: Annotated[int, Range(ge=1)]
    discriminator_channels: Annotated[int, Range(ge=0)]


@dataclass(frozen=True)
class GriffinLimParams:
    """Settings of kind `griffinlim`, which learns nothing."""

    iterations: Annotated[int, Range(ge=1)]


@dataclass(frozen=True)
class VocoderParams:
    """Which vocoder, and the settings of each; only those of the chosen kind count."""

    kind: Literal["magnet", "vocos", "melgan", "hifigan", "griffinlim"]
    init: str  # shipped, scratch, or the folder of a vocoder; see `start.py`
    hears: Literal["truth", "vqvae", "cyclegan"]
    magnet: MagNetParams
    vocos: VocosParams
    melgan: MelGANParams
    hifigan: HiFiGANParams
    griffinlim: GriffinLimParams


def cut_off(audio: MelConfig) -> int:
    """Frames at each end of a crop whose windows saw a reflection instead of the track."""
    return -(-audio.padding // audio.hop_length)


def shortest_crop(audio: MelConfig, ends: int, window: int) -> int:
    """Frames of the shortest crop whose sound MagNet can be trained on.

    ends: frames that are cut off on each side. window: samples of the longest one in which sounds
    are compared, half of which is reflected: what is left must be longer than that.
    """
    return 2 * ends + (window // 2 + 2 * audio.padding) // audio.hop_length + 1
