"""MagNet's data and loss."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from melodygan.audio.stft import mel_of_magnitude, stft
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.hears import Crops
from melodygan.models.vocoder.magnet.network import MagNetVocoder, PlainSynthesis, network_inputs
from melodygan.models.vocoder.task import KindTask
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.scores.audio import log_magnitude_l1
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Update

FLOOR = 3e-4  # magnitude; where the truth is below it, any answer below it is right


class MagNetTask(KindTask):
    """Minimises `losses` with AdamW."""

    compiled = used = ("generator",)
    channels_last = True
    clip = 1.0

    def __init__(self, params: VocoderParams, data: Data, network: MagNetVocoder) -> None:
        super().__init__(params, data, network)
        self.own, self.magnet = params.magnet, network.magnet
        plain = PlainSynthesis(data.audio, network.iterations)
        self.without.append(Vocoder(params, data.audio, plain))
        adam = optimisers.AdamW(
            self.magnet.parameters(), self.own.lr, betas=(0.9, 0.99), fused=True
        )
        self.networks, self.optimisers = {"generator": self.magnet}, {"generator": adam}
        self.crops = Crops(data, self.heard)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of sound, and what is heard of them; see `updates` for their transforms."""
        return self.crops.batch(self.own.batch_size, self.own.frames, rng)

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update. The transforms are the device's work."""
        prior, guess, magnitude = self.example(batch)
        parts = losses(self.magnet(prior, guess).float(), magnitude)
        yield Update("generator", torch.stack(list(parts.values())).sum(), logs=parts)

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Up over the first twentieth, then down to zero as a cosine."""
        return min(1.0, 0.01 + 20 * progress) * 0.5 * (1 + math.cos(math.pi * progress))

    def example(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Prior and guess of what is heard, magnitude of the sound, each (batch, bins, frames).

        All in full precision, wherever the network runs in a reduced one. The true mel comes from
        the same transform of the crop as the magnitude, so its reflected ends, which differ from
        the sound in the track, still are a true pair. Another mel is of the track, and a pair with
        the frames between these ends alone.
        """
        audio = batch["audio"]
        with torch.autocast(audio.device.type, enabled=False):
            magnitude = stft(audio, self.audio).abs()
            if "mel" not in batch:
                return *network_inputs(
                    mel_of_magnitude(magnitude, self.audio), self.audio
                ), magnitude
            ends = -(-self.audio.padding // self.audio.hop_length)
            inside = slice(ends, -ends)
            mel = batch["mel"][..., inside]
            return *network_inputs(mel, self.audio), magnitude[..., inside]


def losses(answer: Tensor, magnitude: Tensor) -> dict[str, Tensor]:
    """L1 of the log-magnitude, and of the magnitude itself relative to its mean; scalars.

    answer: log-magnitude, of the magnitude's shape. The logarithm hears every bin alike, so that
    it alone gives away loud peaks for quiet noise.
    """
    logarithmic = log_magnitude_l1(answer, magnitude, FLOOR)
    linear = (answer.exp() - magnitude).abs().mean() / magnitude.mean().clamp_min(FLOOR)
    return {"log_magnitude": logarithmic, "magnitude": linear}
