"""What vocoders that make samples directly have in common in training."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from melodygan.audio.mel import MelConfig
from melodygan.audio.stft import batch_log_mel
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.discriminators import fill
from melodygan.models.vocoder.hears import Crops
from melodygan.models.vocoder.task import KindTask, Scores
from melodygan.models.vocoder.vocoder import own_params
from melodygan.scores.audio import log_mel_l1, multi_resolution_stft
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Update, frozen
from melodygan.training.verdict import Claim

WARM_UP = 0.05  # of the steps, in which new discriminators catch up with a generator that is not

Answers = list[tuple[Tensor, list[Tensor]]]  # of discriminators: scores and activations of each


class Panel(nn.Module):
    """Several families of discriminators as one. families: modules of (batch, samples)."""

    def __init__(self, *families: nn.Module) -> None:
        super().__init__()
        self.families = nn.ModuleList(families)

    def forward(self, audio: Tensor) -> list[Answers]:
        """(batch, samples) -> what the members of each family say."""
        return [family(audio) for family in self.families]


class AdversarialTask(KindTask):
    """A generator of samples, judged by discriminators, if any, and by its distance from the truth.

    A kind says what the losses are; `panel` is None where nothing but the distance is minimised.
    """

    used = ("generator",)
    betas = (0.8, 0.99)

    def __init__(self, params: VocoderParams, data: Data, network: nn.Module) -> None:
        super().__init__(params, data, network)
        self.own: Any = own_params(params)
        self.crops = Crops(data, self.heard)
        self.panel = self.make_panel(self.own.discriminator_channels)
        known = self.panel and self.started and fill(self.panel, self.started)
        self.alone = WARM_UP * self.own.steps if self.started and not known else 0
        self.networks = {"generator": network}
        if self.panel:
            self.networks["discriminator"] = self.panel
        self.optimisers = {
            name: optimisers.AdamW(module.parameters(), self.own.lr, betas=self.betas)
            for name, module in self.networks.items()
        }

    @abstractmethod
    def make_panel(self, channels: int) -> Panel | None:
        """The discriminators; channels: `discriminator_channels` of the kind's group."""

    @abstractmethod
    def discriminator_loss(self, on_real: list[Answers], on_made: list[Answers]) -> Tensor:
        """What the discriminators minimise."""

    @abstractmethod
    def adversarial_losses(
        self, on_real: list[Answers], on_made: list[Answers]
    ) -> dict[str, Tensor]:
        """The generator's losses from the discriminators' answers, by name."""

    def distances(self, real: Tensor, made: Tensor) -> dict[str, Tensor]:
        """Its losses from the sounds themselves, by name. Here: M-STFT and log-mel L1."""
        return {
            "m_stft": multi_resolution_stft(real, made),
            "mel": mel_distance(real, made, self.audio),
        }

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of sound, and what is heard of them."""
        return self.crops.batch(self.own.batch_size, self.own.frames, rng)

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """The discriminators', where there are some, then the generator's.

        A generator that starts at weights of its own is left as it is while new discriminators
        know nothing: their first answers would undo what it has learnt.
        """
        real = batch["audio"]
        with torch.autocast(real.device.type, enabled=False):
            mel = batch["mel"] if "mel" in batch else batch_log_mel(real, self.audio)
        made = self.networks["generator"](mel)
        parts: dict[str, Tensor] = {}
        if self.panel:
            loss = self.discriminator_loss(*self._answers(real, made.detach()))
            yield Update("discriminator", loss)
            if step < self.alone:
                return
            with frozen(self.panel):
                parts |= self.adversarial_losses(*self._answers(real, made))
        with torch.autocast(real.device.type, enabled=False):
            parts |= self.distances(real, made.float())
        yield Update("generator", torch.stack(list(parts.values())).sum(), logs=parts)

    def claim(self, scores: Scores) -> Claim:
        """How it compares with Griffin-Lim: an untrained generator makes nothing but noise."""
        m_stft = scores[self.judged]
        return Claim(
            self.judged,
            m_stft["value"],
            m_stft["griffin_lim_32"],
            "Griffin-Lim, 32 iterations",
            m_stft["oracle"],
            interval=m_stft["beside_griffin_lim_32"],
        )

    def _answers(self, real: Tensor, made: Tensor) -> tuple[list[Answers], list[Answers]]:
        assert self.panel
        return self.panel(real), self.panel(made)


def mel_distance(real: Tensor, made: Tensor, audio: MelConfig) -> Tensor:
    """Log-mel L1 of two sounds (batch, samples); a scalar."""
    return log_mel_l1(batch_log_mel(made, audio), batch_log_mel(real, audio))
