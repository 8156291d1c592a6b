"""HiFi-GAN's losses: least squares, 2 x feature matching, 45 x log-mel L1 over the full band."""

from dataclasses import replace

import torch
from torch import Tensor

from melodygan.blocks.adversarial import feature_distance, least_squares
from melodygan.models.vocoder.adversarial import AdversarialTask, Answers, Panel, mel_distance
from melodygan.models.vocoder.hifigan.discriminators import MultiPeriod, MultiScale

FEATURES, MEL = 2.0, 45.0  # weights of the losses
DECAY = 0.999  # of the learning rates in every pass over the training tracks


class HiFiGANTask(AdversarialTask):
    """As published; with `discriminator_channels: 0` it minimises M-STFT and log-mel L1."""

    def make_panel(self, channels: int) -> Panel | None:
        """Multi-period and multi-scale."""
        return Panel(MultiPeriod(channels), MultiScale(channels)) if channels else None

    def discriminator_loss(self, on_real: list[Answers], on_made: list[Answers]) -> Tensor:
        """Sum over all of them."""
        real, made = _flat(on_real), _flat(on_made)
        losses = [
            least_squares(a, 1) + least_squares(b, 0)
            for (a, _), (b, _) in zip(real, made, strict=True)
        ]
        return torch.stack(losses).sum()

    def adversarial_losses(
        self, on_real: list[Answers], on_made: list[Answers]
    ) -> dict[str, Tensor]:
        """Sums over all of them."""
        real, made = _flat(on_real), _flat(on_made)
        pairs = zip(real, made, strict=True)
        features = [feature_distance(a, b) for (_, a), (_, b) in pairs]
        return {
            "adversarial": torch.stack([least_squares(scores, 1) for scores, _ in made]).sum(),
            "features": FEATURES * torch.stack(features).sum(),
        }

    def distances(self, real: Tensor, made: Tensor) -> dict[str, Tensor]:
        """The mel of the loss reaches up to half the sample rate, whatever that of the input."""
        if not self.panel:
            return super().distances(real, made)
        full = replace(self.audio, fmax=self.audio.sample_rate / 2)
        return {"mel": MEL * mel_distance(real, made, full)}

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Exponential decay by passes over the training tracks, as published."""
        samples = sum(len(track) for track in self.crops.clean.tracks)
        step = self.own.batch_size * self.own.frames * self.audio.hop_length
        return float(DECAY ** (progress * self.own.steps * step // samples))


def _flat(answers: list[Answers]) -> Answers:
    return [answer for family in answers for answer in family]
