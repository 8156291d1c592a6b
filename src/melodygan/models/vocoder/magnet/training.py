"""MagNet's data, and when which loss counts."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from melodygan.audio.stft import mel_of_magnitude, stft
from melodygan.models.vocoder.config import VocoderParams, cut_off, shortest_crop
from melodygan.models.vocoder.hears import Crops
from melodygan.models.vocoder.magnet.loss import magnitude_losses, sound_loss, total
from melodygan.models.vocoder.magnet.network import MagNetVocoder, PlainSynthesis, network_inputs
from melodygan.models.vocoder.task import KindTask
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.errors import UserError
from melodygan.scores.audio import RESOLUTIONS
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Update

ALONE = 0.75  # of the steps from scratch, in which the magnitude counts alone


class MagNetTask(KindTask):
    """Minimises the magnitude's losses, then the sound's, with AdamW.

    A network that starts from trained weights has the magnitude behind it: for it the sound counts
    from the first step.
    """

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
        self.alone = 0.0 if self.started else ALONE * self.own.steps
        self.ends = cut_off(self.audio) if self.heard else 0
        self._require_long_crops()
        self.crops = Crops(data, self.heard)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of sound, and what is heard of them; see `updates` for their transforms."""
        return self.crops.batch(self.own.batch_size, self.own.frames, rng)

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update. The transforms are the device's work."""
        prior, guess, magnitude = self.example(batch)
        answer = self.magnet(prior, guess).float()
        parts, sound = magnitude_losses(answer, magnitude), None
        logs = dict(parts)
        if step >= self.alone:
            with torch.autocast(answer.device.type, enabled=False):
                sound = sound_loss(answer, self._inside(batch["audio"]), self.audio)
            logs["m_stft"] = sound
        yield Update("generator", total(parts, sound), logs=logs)

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
            inside = slice(self.ends, magnitude.shape[-1] - self.ends)
            mel = batch["mel"][..., inside]
            return *network_inputs(mel, self.audio), magnitude[..., inside]

    def _inside(self, audio: Tensor) -> Tensor:
        """The sound (batch, samples) of the frames that `example` returns."""
        left_out = self.ends * self.audio.hop_length
        return audio[:, left_out : audio.shape[1] - left_out]

    def _require_long_crops(self) -> None:
        """Raise UserError where crops leave too little between their ends to be listened to."""
        least = shortest_crop(self.audio, self.ends, max(RESOLUTIONS))
        if self.own.frames < least:
            raise UserError(
                f"vocoder.magnet.frames: {self.own.frames} frames are too short to compare sounds "
                f"with this mel: at least {least} are needed"
            )
