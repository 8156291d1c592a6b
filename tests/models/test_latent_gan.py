"""The latent GAN: shapes, and learning against noise."""

from pathlib import Path

import numpy as np
import pytest
import torch

from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Discriminator, Generator
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline import UserError
from melodygan.scores.sets import RealSets

LEARNING = {"steps": 500, "batch_size": 16, "validate_every": 500, "noise_dim": 16, "channels": 16,
            "average_decay": 0.98}  # fmt: skip


@pytest.mark.parametrize("shape", [(8, 4, 8), (32, 16, 32), (5, 10, 7)])
def test_any_grid_of_latents_fits(shape: tuple[int, int, int]) -> None:
    latents = Generator(16, 8, shape)(torch.randn(3, 16))
    assert latents.shape == (3, *shape)
    assert Discriminator(8, shape)(latents).shape == (3,)


def test_training_moves_samples_to_what_the_decoder_makes_of_held_out_tracks(
    trained, make, features, params
) -> None:
    vqvae = trained("vqvae", params("vqvae", steps=150, lr=3e-3)).trained()
    rebuilt = rebuilt_sets(features, vqvae)
    values = params("latent_gan", **LEARNING)
    before = rebuilt.scores(make("latent_gan", values).trained().sample(64, 1))
    task = trained("latent_gan", values)
    after = rebuilt.scores(task.trained().sample(64, 1))
    assert after["kernel_distance"]["value"] < before["kernel_distance"]["value"]
    assert after["kernel_distance"]["value"] < 0.5 * after["kernel_distance"]["noise"]

    again = TrainedLatentGAN.load(Path("models/latent_gan"), features.audio)
    assert np.array_equal(again.sample(3, 7), task.trained().sample(3, 7))
    assert again.sample(2, 7, frames=20).shape == (2, 20, 32)
    with pytest.raises(UserError, match="knows no labels"):
        again.sample(1, 7, "beat")
    with pytest.raises(UserError, match=r"at most 0\.5 s"):
        again.sample(1, 7, frames=65)


def rebuilt_sets(features: FeatureSet, vqvae: TrainedVQVAE) -> RealSets:
    """Real tracks through the VQ-VAE, which the GAN cannot improve on."""
    train, test = (
        [vqvae.rebuild(track.mel) for track in features.tracks(split)]
        for split in ("train", "test")
    )
    return RealSets(train, test, 64, 0)
