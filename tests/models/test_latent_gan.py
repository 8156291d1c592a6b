"""The latent GAN: shapes, and learning against noise."""

import re
from pathlib import Path

import fake
import numpy as np
import pytest
import torch

from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.latent_gan.network import Discriminator, Generator
from melodygan.models.latent_gan.training import LatentGANTask
from melodygan.models.vqvae.latents import LatentCrops, latents_of, track_latents
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline import UserError
from melodygan.training.data import Data
from melodygan.training.verdict import Outcome, verdict

# long enough clips for what is heard in time, and a grid fine enough for the tunes
VQVAE = {"steps": 400, "lr": 2e-3, "stride": 4, "frames": 128}
LEARNING = {"steps": 400, "batch_size": 16, "lr": 3e-3, "validate_every": 400, "noise_dim": 16,
            "channels": 16, "average_decay": 0.98}  # fmt: skip


@pytest.mark.parametrize("shape", [(8, 4, 8), (32, 16, 32), (5, 10, 7)])
def test_any_grid_of_latents_fits(shape: tuple[int, int, int]) -> None:
    latents = Generator(16, 8, shape)(torch.randn(3, 16))
    assert latents.shape == (3, *shape)
    assert Discriminator(8, shape)(latents).shape == (3,)


def test_training_moves_samples_to_what_the_decoder_makes_of_held_out_tracks(
    trained, make, features, params, rebuilt_sets
) -> None:
    """Timbre, movement and order: each at least half of the way from untrained to perfect."""
    vqvae = trained("vqvae", params("vqvae", **VQVAE)).trained()
    rebuilt = rebuilt_sets(vqvae)
    values = params("latent_gan", **LEARNING)
    before = rebuilt.scores(make("latent_gan", values).trained().sample(64, 1))
    task = trained("latent_gan", values)
    after = rebuilt.scores(task.trained().sample(64, 1))
    for name, ideal in (("kernel_distance", 0.0), ("time_distance", 0.0), ("order_auc", 0.5)):
        missing = [of[name]["value"] - ideal for of in (before, after)]
        assert missing[1] < 0.5 * missing[0], name
    assert after["kernel_distance"]["value"] < 0.5 * after["kernel_distance"]["noise"]

    again = TrainedLatentGAN.load(Path("models/latent_gan"), features.audio)
    assert np.array_equal(again.sample(3, 7), task.trained().sample(3, 7))
    assert again.sample(2, 7, frames=20).shape == (2, 20, 32)
    with pytest.raises(UserError, match="knows no labels"):
        again.sample(1, 7, "beat")
    with pytest.raises(UserError, match=r"at most 1\.0 s"):
        again.sample(1, 7, frames=129)


@pytest.mark.parametrize(
    "settings",
    [{"loss": "vanilla"}, {"loss": "hinge"}, {"loss": "wgan_gp", "penalty_every": 1, "steps": 500}],
)
def test_with_labels_each_loss_moves_samples_to_their_label(
    learnt, trained, make, features, params, settings
) -> None:
    """Further from untrained than half of the way to perfect, by a classifier of real clips."""
    learnt(steps=200, lr=3e-3, stride=4)
    values = params("latent_gan", **LEARNING | {"steps": 300, "conditional": True} | settings)
    untrained = make("latent_gan", values)
    assert untrained.labels == ["beat", "drone"]
    before = untrained.test()["label_accuracy"]["value"]
    task = trained("latent_gan", values)
    after = task.test()["label_accuracy"]["value"]
    assert before < 0.7 < 0.85 < after

    again = TrainedLatentGAN.load(Path("models/latent_gan"), features.audio)
    assert list(again.labels) == ["beat", "drone"]
    both = again.sample(4, 7)
    assert np.array_equal(again.sample(3, 7, "drone")[1], both[1])
    assert np.array_equal(again.sample(3, 7, "beat")[2], both[2])
    with pytest.raises(UserError, match="knows labels: beat, drone, so it cannot make jazz"):
        again.sample(1, 7, "jazz")


def test_a_batch_has_as_many_of_each_label_and_says_which(make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    task = make("latent_gan", params("latent_gan", batch_size=6, conditional=True))
    batch = task.batch(np.random.default_rng(0))
    assert batch["labels"].bincount().tolist() == [3, 3]
    known = list(zip(task.latents.tracks, task.latents.labels, strict=True))
    for crop, index in zip(batch["latents"], batch["labels"].tolist(), strict=True):
        width = crop.shape[2]
        assert any(
            torch.equal(crop, track[:, :, start : start + width])
            for track, label in known
            if label == task.labels[index]
            for start in range(track.shape[2] - width + 1)
        )


ENDED = Outcome(60, 60, 1.0, "", 1, False, ())
FAILED = r"(no better than|no difference shown from) real columns in random order, "


def test_an_untrained_generator_and_one_that_has_learnt_noise_are_told_so(
    trained, make, misled, features, params
) -> None:
    """And real clips are not."""
    trained("vqvae", params("vqvae", steps=60, lr=3e-3, stride=4))
    few = params("latent_gan", steps=20, validate_every=20, batch_size=8)
    music = fake.tunes(["beat", "drone"])
    untrained = make("latent_gan", few)
    scores = untrained.test()
    assert re.search(FAILED, verdict("latent_gan", ENDED, untrained.claim(scores)))
    wrong = misled("latent_gan", few, fake.noise(music), music)
    assert re.search(FAILED, verdict("latent_gan", ENDED, wrong.claim(wrong.test())))
    real = scores["time_distance"]
    beside = {"value": real["floor"], "beside_shuffled": real["floor_interval"]}
    scores["time_distance"] = real | beside
    assert ": works, " in verdict("latent_gan", ENDED, untrained.claim(scores))


def test_components_are_white_and_give_the_latents_back(make, features, params) -> None:
    vqvae = make("vqvae", params("vqvae")).trained()
    dim = vqvae.params.code_dim
    tracks = features.tracks("train")
    latents = track_latents(tracks, vqvae, 64)
    whole = LatentCrops(tracks, vqvae, dim, 64, latents)
    assert whole.shape == (dim, 4, 8)
    flat = torch.cat([track.flatten(1) for track in whole.tracks], 1)
    assert torch.allclose(torch.cov(flat), torch.eye(dim), atol=0.02)
    track = tracks[0].mel[None]
    back = latents_of(whole.tracks[0][None], whole.mean, whole.basis)
    assert torch.allclose(back, vqvae.latents(track), atol=1e-3)

    few = LatentCrops(tracks, vqvae, 3, 64, latents)
    assert torch.allclose(few.tracks[0], whole.tracks[0][:3], atol=1e-3)
    variances = whole.basis.square().sum(0)
    assert torch.equal(variances, variances.sort(descending=True)[0])


@pytest.mark.parametrize("components", [1, 8])
def test_the_gan_invents_as_many_components_as_it_is_told(
    make, features, params, components
) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    task = make("latent_gan", params("latent_gan", components=components))
    assert task.generator(torch.zeros(1, 8)).shape == (1, components, 4, 8)
    assert task.trained().sample(2, 0).shape == (2, 64, 32)


def test_more_components_than_the_latents_have_are_refused(make, features, params) -> None:
    """They would be left out in silence, and the model could never be loaded again."""
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    for stage in ("latent_gan", "wgan_gp"):
        make(stage, params(stage, components=8))
        with pytest.raises(UserError, match=r"components 9 are more .* \(vqvae.code_dim 8\)"):
            make(stage, params(stage, components=9))


def test_a_task_that_shares_its_latents_begins_as_one_that_does_not(
    make, features, params, monkeypatch
) -> None:
    """As the trials of a search do that run in one process."""
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    values, data = params("latent_gan"), Data("latent_gan")
    tasks = []
    for _ in range(2):
        torch.manual_seed(0)
        tasks.append(LatentGANTask(values, data))
        monkeypatch.setattr(TrainedVQVAE, "latents", None)  # encoding again would fail
    one, other = tasks
    assert one.real is other.real
    assert all(map(torch.equal, one.latents.tracks, other.latents.tracks))
    weights = zip(one.generator.parameters(), other.generator.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
