"""The losses of Wasserstein GANs against values that are known."""

import pytest
import torch

from melodygan.blocks.wasserstein import gradient_penalty, wasserstein_estimate

MIX = torch.tensor([0.0, 0.25, 1.0])


def test_a_linear_critic_has_the_penalty_of_its_slope() -> None:
    """(|w| - 1)^2 everywhere; 0 for a unit vector, and the gradient leads there."""
    real, fake = torch.randn(2, 3, 2, 4).unbind()
    weight = torch.randn(2, 4).requires_grad_()
    penalty = gradient_penalty(lambda x: (x * weight).sum((1, 2)), real, fake, MIX)
    norm = weight.detach().norm()
    assert penalty.item() == pytest.approx((norm.item() - 1) ** 2, rel=1e-5)
    (slope,) = torch.autograd.grad(penalty, weight)
    assert torch.allclose(slope, 2 * (norm - 1) * weight.detach() / norm, atol=1e-5)
    unit = weight.detach() / norm
    assert gradient_penalty(lambda x: (x * unit).sum((1, 2)), real, fake, MIX) < 1e-10


def test_the_gradient_is_taken_where_the_mix_says() -> None:
    """Half the square of the length has its place as gradient: here 3, 2.25 and 1 times e."""
    real, fake = torch.tensor([[1.0, 0.0]]).repeat(3, 1), torch.tensor([[0.0, 3.0]]).repeat(3, 1)
    penalty = gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake, MIX)
    places = MIX[:, None] * real + (1 - MIX[:, None]) * fake
    assert penalty.item() == pytest.approx((places.norm(dim=1) - 1).square().mean().item())
    assert penalty.item() == pytest.approx((4 + (0.0625 + 5.0625) ** 0.5 * -2 + 6.125) / 3)


def test_the_estimate_is_the_earth_movers_distance_for_the_best_critic() -> None:
    """Two sets on a line, 3 apart: the critic is the line itself."""
    fake = torch.randn(100)
    assert wasserstein_estimate(fake + 3, fake).item() == pytest.approx(3, abs=1e-5)
