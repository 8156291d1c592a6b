"""MelGAN's losses: hinge and 10 x feature matching, nothing else."""

import torch
from torch import Tensor

from melodygan.blocks.adversarial import feature_distance, hinge_discriminator, hinge_generator
from melodygan.models.vocoder.adversarial import AdversarialTask, Answers, Panel
from melodygan.models.vocoder.melgan.network import LAYERS, SCALES, MultiScale

FEATURES = 10.0  # weight of feature matching
LAYER = 4 / (LAYERS + 1) / SCALES  # of one layer of one discriminator in it, as published


class MelGANTask(AdversarialTask):
    """As published, with AdamW for Adam."""

    betas = (0.5, 0.9)

    def make_panel(self, channels: int) -> Panel:
        """Three scales."""
        return Panel(MultiScale(channels))

    def discriminator_loss(self, on_real: list[Answers], on_made: list[Answers]) -> Tensor:
        """Sum over the scales."""
        pairs = zip(on_real[0], on_made[0], strict=True)
        return torch.stack([hinge_discriminator(a, b) for (a, _), (b, _) in pairs]).sum()

    def adversarial_losses(
        self, on_real: list[Answers], on_made: list[Answers]
    ) -> dict[str, Tensor]:
        """Feature matching leaves out the scores."""
        pairs = zip(on_real[0], on_made[0], strict=True)
        features = [feature_distance(a[:-1], b[:-1]) for (_, a), (_, b) in pairs]
        return {
            "adversarial": torch.stack([hinge_generator(s) for s, _ in on_made[0]]).sum(),
            "features": FEATURES * LAYER * torch.stack(features).sum(),
        }

    def distances(self, real: Tensor, made: Tensor) -> dict[str, Tensor]:
        """None."""
        return {}
