"""The table of vocoders' networks; `training.py` has that of their tasks.

A new kind is a line in both, a group in config.py, and its own folder.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.hifigan.network import HiFiGAN
from melodygan.models.vocoder.magnet.network import MagNetVocoder
from melodygan.models.vocoder.melgan.network import MelGAN
from melodygan.models.vocoder.vocos.network import Vocos

# `NETWORKS[kind](params, audio)` is an untrained module that keeps the contract of `vocoder.py`;
# params are those of the kind's group
NETWORKS: dict[str, Callable[[Any, MelConfig], nn.Module]] = {
    "magnet": MagNetVocoder.of,
    "vocos": Vocos.of,
    "melgan": MelGAN.of,
    "hifigan": HiFiGAN.of,
    "griffinlim": lambda params, audio: GriffinLim(audio, params.iterations),
}
