"""Vocos' losses: hinge and feature matching, those of resolutions x 0.1, and 45 x log-mel L1."""

import math

import torch
from torch import Tensor

from melodygan.blocks.adversarial import feature_distance, hinge_discriminator, hinge_generator
from melodygan.models.vocoder.adversarial import AdversarialTask, Answers, Panel, mel_distance
from melodygan.models.vocoder.hifigan.discriminators import MultiPeriod
from melodygan.models.vocoder.vocos.discriminators import MultiResolution

WEIGHTS = (1.0, 0.1)  # of periods and of resolutions
MEL = 45.0


class VocosTask(AdversarialTask):
    """As published; with `discriminator_channels: 0` it minimises M-STFT and log-mel L1."""

    def make_panel(self, channels: int) -> Panel | None:
        """Multi-period and multi-resolution."""
        return Panel(MultiPeriod(channels), MultiResolution(channels)) if channels else None

    def discriminator_loss(self, on_real: list[Answers], on_made: list[Answers]) -> Tensor:
        """Weighted means over the members of each family."""
        losses = [
            weight * torch.stack([hinge_discriminator(a, b) for (a, _), (b, _) in pairs]).mean()
            for weight, pairs in _families(on_real, on_made)
        ]
        return torch.stack(losses).sum()

    def adversarial_losses(
        self, on_real: list[Answers], on_made: list[Answers]
    ) -> dict[str, Tensor]:
        """Weighted means over the members of each family."""
        hinges, features = [], []
        for weight, pairs in _families(on_real, on_made):
            hinges += [weight / len(pairs) * hinge_generator(b) for _, (b, _) in pairs]
            features += [weight / len(pairs) * feature_distance(a, b) for (_, a), (_, b) in pairs]
        return {
            "adversarial": torch.stack(hinges).sum(),
            "features": torch.stack(features).sum(),
        }

    def distances(self, real: Tensor, made: Tensor) -> dict[str, Tensor]:
        """The mel's distance; without discriminators M-STFT too."""
        if not self.panel:
            return super().distances(real, made)
        return {"mel": MEL * mel_distance(real, made, self.audio)}

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Down to zero as a cosine, as published."""
        return 0.5 * (1 + math.cos(math.pi * progress))


def _families(
    on_real: list[Answers], on_made: list[Answers]
) -> list[tuple[float, list[tuple[tuple[Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]]]]]:
    """For each family its weight, and pairs of what its members say of real and made sound."""
    rows = zip(WEIGHTS, on_real, on_made, strict=True)
    return [(weight, list(zip(real, made, strict=True))) for weight, real, made in rows]
