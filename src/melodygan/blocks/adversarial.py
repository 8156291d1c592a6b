"""Losses of adversarial pairs, and penalties that keep a discriminator smooth.

Scores and logits are those of a discriminator or critic, high for real, of any shape.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def least_squares(scores: Tensor, target: float) -> Tensor:
    """Mean squared distance of scores from 1 (real) or 0 (Mao et al. 2017, arXiv 1611.04076)."""
    return (scores.float() - target).square().mean()


def vanilla_discriminator(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """Cross-entropy of real and generated (Goodfellow et al. 2014, arXiv 1406.2661)."""
    return functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()


def vanilla_generator(on_fake: Tensor) -> Tensor:
    """The non-saturating loss of the same paper."""
    return functional.softplus(-on_fake).mean()


def hinge_discriminator(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """Hinge loss of real and generated (Lim and Ye 2017, arXiv 1705.02894)."""
    return (1 - on_real.float()).relu().mean() + (1 + on_fake.float()).relu().mean()


def hinge_generator(on_fake: Tensor) -> Tensor:
    """The generator's side of it: the scores themselves, unbounded."""
    return -on_fake.float().mean()


def feature_distance(on_real: Sequence[Tensor], on_fake: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of their activations; the real ones fixed.

    Larsen et al. 2016, arXiv 1512.09300.
    """
    pairs = zip(on_real, on_fake, strict=True)
    return torch.stack([(a.detach().float() - b.float()).abs().mean() for a, b in pairs]).sum()


def zero_centred_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Mean squared norm of the logits' gradient at the inputs.

    R1 on real inputs, R2 on generated ones (Mescheder et al. 2018, arXiv 1801.04406). inputs:
    (batch, ...), from which the logits were computed with `requires_grad`.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
