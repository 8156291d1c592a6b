"""The latent GAN: shapes, penalties against a hand-made gradient, and learning against noise."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.latent_gan.config import LatentGANParams
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Discriminator, Generator
from melodygan.models.latent_gan.training import (
    LatentGANTask,
    generated_scores,
    gradient_penalty,
)
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.training import VQVAETask
from melodygan.scores.sets import RealSets
from melodygan.training.loop import train

VQVAE_PARAMS = VQVAEParams(
    steps=150,
    batch_size=4,
    lr=3e-3,
    validate_every=150,
    patience=0,
    max_minutes=0.0,
    sample_every=0,
    frames=64,
    channels=16,
    residual_blocks=1,
    downsamplings=3,
    codebook_size=32,
    code_dim=8,
    commitment=0.25,
    decay=0.9,
    restart_below=0.5,
)
PARAMS = LatentGANParams(
    steps=300,
    batch_size=16,
    lr=1e-3,
    validate_every=300,
    patience=0,
    max_minutes=0.0,
    sample_every=0,
    noise_dim=16,
    channels=16,
    penalty=10.0,
    penalty_every=4,
    average_decay=0.98,
)


@pytest.mark.parametrize("shape", [(8, 4, 8), (32, 16, 32), (5, 10, 7)])
def test_any_grid_of_latents_fits(shape: tuple[int, int, int]) -> None:
    latents = Generator(16, 8, shape)(torch.randn(3, 16))
    assert latents.shape == (3, *shape)
    assert Discriminator(8, shape)(latents).shape == (3,)


def test_the_gradient_penalty_is_the_mean_squared_gradient_norm() -> None:
    inputs = torch.randn(4, 2, 3, 3, requires_grad=True)
    weight = torch.randn(2, 3, 3)
    penalty = gradient_penalty((inputs * weight).sum((1, 2, 3)), inputs)
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_training_moves_samples_to_what_the_decoder_makes_of_held_out_tracks(
    stage, features, tmp_path: Path
) -> None:
    vqvae = train(stage("vqvae"), VQVAE_PARAMS, 0, lambda: VQVAETask(VQVAE_PARAMS, features))
    vqvae = vqvae.trained()
    torch.manual_seed(0)
    untrained = LatentGANTask(PARAMS, features, vqvae, 0).trained()
    task = train(stage("latent_gan"), PARAMS, 0, lambda: LatentGANTask(PARAMS, features, vqvae, 0))
    rebuilt = rebuilt_sets(features, vqvae)
    before = generated_scores(untrained, vqvae, rebuilt, 1)["time_distance"]
    after = generated_scores(task.trained(), vqvae, rebuilt, 1)["time_distance"]
    assert after["floor"] < after["value"] < 0.7 * before["value"]
    assert after["value"] < 0.7 * after["noise"]

    task.trained().save(tmp_path / "gan", features.audio)
    again = TrainedLatentGAN.load(tmp_path / "gan", vqvae)
    assert torch.equal(again.sample(vqvae, 3, 7), task.trained().sample(vqvae, 3, 7))


def rebuilt_sets(features: FeatureSet, vqvae: TrainedVQVAE) -> RealSets:
    """Real tracks through the VQ-VAE, which the GAN cannot improve on."""

    def rebuilt(split: str) -> list[NDArray[np.float32]]:
        mels = [torch.from_numpy(np.array(track.mel)).T[None] for track in features.tracks(split)]
        return [vqvae.decode(vqvae.encode(mel))[0].T.numpy() for mel in mels]

    return RealSets(rebuilt("train"), rebuilt("test"), 64, 0)
