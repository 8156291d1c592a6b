"""What several models share: losses and penalties against hand-made values, PatchGAN, the scale."""

import math

import pytest
import torch

from melodygan.blocks.adversarial import (
    least_squares,
    vanilla_discriminator,
    vanilla_generator,
    zero_centred_penalty,
)
from melodygan.blocks.patchgan import PatchGAN
from melodygan.blocks.scale import Scale


def test_the_penalty_is_the_mean_squared_gradient_norm() -> None:
    inputs = torch.randn(4, 2, 3, 3, requires_grad=True)
    weight = torch.randn(2, 3, 3)
    penalty = zero_centred_penalty((inputs * weight).sum((1, 2, 3)), inputs)
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_vanilla_losses_are_those_of_the_formula() -> None:
    """-log sigmoid(real) - log(1 - sigmoid(fake)), and -log sigmoid(fake)."""
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.8, 2.0])
    expected = -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()
    assert torch.allclose(vanilla_discriminator(real, fake), expected)
    assert torch.allclose(vanilla_generator(fake), -fake.sigmoid().log().mean())
    undecided = torch.zeros(3)
    assert vanilla_discriminator(undecided, undecided).item() == pytest.approx(2 * math.log(2))


def test_the_least_squares_loss_is_the_squared_distance_from_its_target() -> None:
    assert least_squares(torch.tensor([1.0, 3.0]), 1.0).item() == pytest.approx(2.0)


def test_the_patchgan_has_the_published_size() -> None:
    assert sum(p.numel() for p in PatchGAN(64).parameters()) == 2_762_689


def test_it_judges_patches_of_70_by_70() -> None:
    network = PatchGAN(2)
    for module in network.modules():  # instance norm would let every input reach every output
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda x: x  # type: ignore[method-assign]
    image = torch.randn(1, 1, 200, 200, requires_grad=True)
    output = network(image)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
    touched = image.grad[0, 0].abs().sum(1).nonzero()
    assert int(touched.max() - touched.min()) + 1 == 70


def test_spectral_norm_bounds_what_each_layer_can_amplify() -> None:
    torch.manual_seed(0)
    network = PatchGAN(4, spectral_norm=True)
    image = torch.rand(2, 1, 64, 64)
    for _ in range(30):  # a step of the power iteration each
        scores = network(image)
    assert scores.shape == PatchGAN(4)(image).shape
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(layers) == 5
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
        assert float(largest) == pytest.approx(1, abs=0.02)
    assert not any(isinstance(m, torch.nn.InstanceNorm2d) for m in network.modules())


def test_scale_is_inverted_exactly_inside_its_range() -> None:
    scale = Scale.of(-5.0, 2.5)
    mel = torch.linspace(-11.5, 4.9, 50)
    assert torch.allclose(scale.to_log(scale.to_unit(mel)), mel, atol=1e-5)
