"""The table of vocoders' networks; `training.py` has that of their tasks.

A new kind is a line in both, a group in config.py, and its own folder.
"""

from collections.abc import Callable

from torch import nn

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.hifigan.network import HiFiGAN
from melodygan.models.vocoder.magnet.network import MagNetVocoder
from melodygan.models.vocoder.melgan.network import MelGAN
from melodygan.models.vocoder.vocos.network import Vocos

# `NETWORKS[kind](params, audio)` is an untrained module that keeps the contract of `vocoder.py`
NETWORKS: dict[str, Callable[[VocoderParams, MelConfig], nn.Module]] = {
    "magnet": lambda params, audio: MagNetVocoder.of(
        params.magnet, audio, true_mel=params.hears == "truth"
    ),
    "vocos": lambda params, audio: Vocos.of(params.vocos, audio),
    "melgan": lambda params, audio: MelGAN.of(params.melgan, audio),
    "hifigan": lambda params, audio: HiFiGAN.of(params.hifigan, audio),
    "griffinlim": lambda params, audio: GriffinLim(audio, params.griffinlim.iterations),
}
