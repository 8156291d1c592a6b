"""The losses of Wasserstein GANs, and the penalty that keeps their critic Lipschitz.

Arjovsky et al. 2017, arXiv 1701.07875; Gulrajani et al. 2017, arXiv 1704.00028. Scores are those
of a critic, high for real, of any shape.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def wasserstein_estimate(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """How much higher the critic scores real examples: what it maximises.

    For the best critic of slope at most 1 it is the earth mover's distance of the two sets.
    """
    return on_real.float().mean() - on_fake.float().mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor
) -> Tensor:
    """Mean squared distance from 1 of the norm of the critic's gradient between real and fake.

    real, fake: (batch, ...). mix: (batch,) in [0, 1], where on the straight line from the fake to
    the real example of its row the gradient is taken; uniform in the paper. critic: (batch, ...)
    -> (batch,), a score of each example by itself.
    """
    share = mix.reshape(-1, *[1] * (real.ndim - 1))
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm = gradient.float().flatten(1).norm(dim=1)
    return (norm - 1).square().mean()
