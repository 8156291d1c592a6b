"""MagNet's data and loss."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from melodygan.audio.stft import mel_of_magnitude, stft
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.magnet.network import MagNetVocoder, log_prior
from melodygan.models.vocoder.task import KindTask
from melodygan.scores.audio import log_magnitude_l1
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Update


class MagNetTask(KindTask):
    """Minimises L1 of the natural log-magnitude with AdamW."""

    compiled = used = ("magnet",)
    clip = 1.0

    def __init__(self, params: VocoderParams, data: Data, network: MagNetVocoder) -> None:
        super().__init__(params, data, network)
        self.own, self.magnet = params.magnet, network.magnet
        mean, std = data.features.statistics()
        self.magnet.mean.fill_(mean)
        self.magnet.std.fill_(std)
        adam = optimisers.AdamW(
            self.magnet.parameters(), self.own.lr, betas=(0.9, 0.99), fused=True
        )
        self.networks, self.optimisers = {"magnet": self.magnet}, {"magnet": adam}
        self.train_audio = data.clean("train")

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of sound; their transforms are the device's work, see `updates`."""
        samples = self.own.frames * self.audio.hop_length
        audio = self.train_audio.random(self.own.batch_size, samples, rng)
        return {"audio": torch.from_numpy(audio)}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update."""
        mel, prior, magnitude = self.example(batch["audio"])
        answer = self.magnet(mel, prior)
        yield Update("magnet", log_magnitude_l1(answer.float(), magnitude))

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Up over the first twentieth, then down to zero as a cosine."""
        return min(1.0, 0.01 + 20 * progress) * 0.5 * (1 + math.cos(math.pi * progress))

    def example(self, audio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-mel, prior and magnitude of sounds (batch, samples), each (batch, bins, frames).

        All in full precision, wherever the network runs in a reduced one. Mel and magnitude come
        from one transform of the crop, so its reflected ends, which differ from the sound in the
        track, still are a true pair.
        """
        with torch.autocast(audio.device.type, enabled=False):
            magnitude = stft(audio, self.audio).abs()
            mel = mel_of_magnitude(magnitude, self.audio)
            return mel, log_prior(mel, self.audio), magnitude
