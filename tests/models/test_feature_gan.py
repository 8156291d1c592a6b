"""The feature GAN: its start, learning, scores that can fail, and the clips that it makes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch

from melodygan.audio.features import mfcc, pooled
from melodygan.dataset.pooled import PooledVectors, pooled_vectors
from melodygan.generation.makers import Decoded, Sampler, load_maker
from melodygan.models.feature_gan.model import steered
from melodygan.models.feature_gan.network import Discriminator, Gaussians, Generator
from melodygan.models.feature_gan.scores import VectorEmbedding, augmentation
from melodygan.models.feature_gan.vectors import TrainedFeatureGAN
from melodygan.pipeline import UserError
from melodygan.training.task import Task
from melodygan.training.verdict import Outcome, verdict

ENDED = Outcome(60, 60, 1.0, "", 1, False, ())
FAILED = r"(no better than|no difference shown from) a Gaussian per label, "


@pytest.fixture
def gan(features, make, params) -> Callable[..., Any]:
    """The task, untrained, on an autoencoder that is no more than principal components."""
    make("autoencoder", params("autoencoder")).trained().save(Path("models/autoencoder"))
    return lambda **changes: make("feature_gan", params("feature_gan", **changes))


def learn(task: Task, steps: int) -> None:
    """Train without the loop."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        for update in task.updates(task.batch(rng), step):
            optimiser = task.optimisers[update.optimiser]
            optimiser.zero_grad()
            update.loss.backward()
            optimiser.step()


def test_the_generator_starts_as_a_gaussian_of_each_label(gan) -> None:
    task = gan()
    for place, rows in enumerate(task.rows):
        real = task.latents[rows]
        labels = torch.eye(2)[torch.full((20000,), place)]
        with torch.no_grad():
            made = task.generator(torch.randn(len(labels), 16), labels).numpy()
        assert np.allclose(made.mean(0), real.mean(0), atol=0.05)
        assert np.allclose(np.cov(made.T), np.cov(real.T), atol=0.15)


def test_with_less_noise_than_axes_the_longest_ones_are_kept() -> None:
    latents = np.random.default_rng(0).standard_normal((500, 3)) * [1.0, 5.0, 2.0]
    generator = Generator(2, 1, 3, 4)
    generator.fit(Gaussians(latents, np.zeros(500, int), 1))
    kept = generator.axes[0].detach().norm(dim=1).sort(descending=True)[0].tolist()
    assert kept == pytest.approx([5.0, 2.0], rel=0.1)


def test_the_discriminator_sees_how_much_a_label_varies() -> None:
    torch.manual_seed(0)
    network, labels = Discriminator(2, 3, 8), torch.eye(2)[[0, 0, 0, 1]]
    wide, narrow = torch.randn(4, 3), torch.zeros(4, 3)
    wide[0] = narrow[0] = 0.0
    on_wide, on_narrow = network(wide, labels), network(narrow, labels)
    assert on_wide[0] != on_narrow[0]  # the same latents in another company
    wide[3] = 9.0
    assert torch.equal(network(wide, labels)[:3], on_wide[:3])  # of another label


def test_training_moves_vectors_to_those_of_the_labels(gan) -> None:
    task = gan(lr=3e-3, batch_size=32)
    with torch.no_grad():  # as if there were no Gaussians to start from
        for weights in (task.generator.mean, task.generator.axes):
            weights.zero_()
        torch.nn.init.normal_(task.generator.layers[-1].weight, std=0.1)
    before = task.test()
    learn(task, 400)
    after = task.test()
    wrong = [of["kernel_distance"]["value"] for of in (before, after)]
    assert wrong[1] < 0.5 * wrong[0]
    assert after["kernel_distance"]["value"] < 0.5 * after["kernel_distance"]["noise"]
    heard = [of["label_accuracy"]["value"] for of in (before, after)]
    assert heard[0] < 0.7 and heard[1] > 0.9

    task.trained().save(Path("models/feature_gan"))
    again = TrainedFeatureGAN.load(Path("models/feature_gan"), fake.AUDIO)
    assert again.labels == ("beat", "drone")
    assert np.array_equal(again.vectors([0, 1, 1], 5), task.trained().vectors([0, 1, 1], 5))


def test_untrained_and_misled_generators_are_told_so_and_real_vectors_are_not(
    gan, misled, params
) -> None:
    task = gan()
    scores = task.test()
    assert re.search(FAILED, verdict("feature_gan", ENDED, task.claim(scores)))
    few = params("feature_gan", steps=10)
    music = fake.tunes(["beat", "drone"])
    wrong = misled("feature_gan", few, fake.noise(music), music)
    assert re.search(FAILED, verdict("feature_gan", ENDED, wrong.claim(wrong.test())))
    real = scores["kernel_distance"]
    better = real | {"value": real["floor"], "paired": [real["floor"] - 0.01, real["floor"] + 0.01]}
    assert ": works, " in verdict(
        "feature_gan", ENDED, task.claim(scores | {"kernel_distance": better})
    )
    useless = real | {"noise": real["floor"] - 0.1}
    assert "too little data to judge" in verdict(
        "feature_gan", ENDED, task.claim(scores | {"kernel_distance": useless})
    )


def test_each_score_fails_what_it_is_there_for(gan) -> None:
    judge = gan().judge
    anchors, places = judge.anchors, judge.places
    real = judge.scores(anchors["floor"])
    distance = real["kernel_distance"]
    assert distance["floor_interval"][1] < distance["noise_interval"][0]
    assert real["label_accuracy"]["value"] > 0.9
    copier = judge.scores(anchors["copies"])["memorisation"]
    assert copier["value"] < 0.1 and copier["copied"] == 1.0

    noise = judge.scores(anchors["noise"])
    assert noise["kernel_distance"]["value"] == pytest.approx(distance["noise"])
    assert noise["kernel_distance"]["interval"][0] > distance["floor_interval"][1]
    assert noise["memorisation"]["copied"] == 0.0
    swapped = judge.scores(np.roll(anchors["floor"], 1, 0))
    assert swapped["label_accuracy"]["value"] < 0.3
    alike = judge.scores(np.repeat(anchors["floor"][:1], len(places), 0))
    assert alike["diversity"]["value"] < 0.01 < 0.5 < real["diversity"]["value"]
    assert alike["kernel_distance"]["value"] > distance["floor_interval"][1]


def test_columns_drawn_by_themselves_are_no_vectors(features) -> None:
    train, test = (pooled_vectors(features, split, 16) for split in ("train", "test"))
    embedding = VectorEmbedding(train.values, 4)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(train.values), train.values.shape)
    mixed = train.values[rows, np.arange(train.values.shape[1])]
    beside = [embedding.apply(of)[:, -1] for of in (train.values, test.values, mixed)]
    assert beside[0].mean() == pytest.approx(0, abs=1e-6)
    assert beside[0].std() == pytest.approx(1, rel=1e-3)
    assert beside[2].mean() > beside[1].mean() + 0.8


def test_invented_vectors_of_the_wrong_labels_teach_a_classifier_nothing_good(features) -> None:
    train, test = (pooled_vectors(features, split, 16) for split in ("train", "test"))
    swapped = PooledVectors(train.values, train.track, 1 - train.label, train.labels)
    made = {"value": swapped, "same": train}
    scores = augmentation(train, test, made, 0)
    of = scores["augmentation_probability"]
    assert of["value"] < 0.6 < of["real_only"]
    assert of["interval"][1] < of["real_only"]
    assert of["same"] == pytest.approx(of["real_only"], abs=0.02)
    assert scores["augmentation_accuracy"]["real_only"] > 0.9


def test_with_one_label_there_is_nothing_to_confuse(one_label, make, params) -> None:
    make("autoencoder", params("autoencoder")).trained().save(Path("models/autoencoder"))
    scores = make("feature_gan", params("feature_gan")).test()
    assert "label_accuracy" not in scores and "augmentation_accuracy" not in scores
    assert scores["kernel_distance"]["value"] < scores["kernel_distance"]["noise"]


def test_a_clip_is_brought_to_the_level_of_a_vector_and_half_way_to_its_movement() -> None:
    beat, drone = (fake.tunes([label])[0].mel[:64] + 3 for label in ("beat", "drone"))
    wanted = pooled(drone, mfcc(drone, 12), 64, 64)
    made = steered(beat[None], wanted)[0]
    assert np.allclose(made.mean(0), wanted[0, :32], atol=1e-3)
    spreads = np.log([mel.std(0) for mel in (beat, made, drone)])
    moved = np.abs(spreads[2] - spreads[0]) < 2 * np.log(2)  # what the largest gain can do
    assert moved.any() and np.allclose(spreads[1][moved], spreads[[0, 2]].mean(0)[moved], atol=0.01)
    order = np.corrcoef(made.mean(1), beat.mean(1))[0, 1]
    assert order > 0.8  # it is still the same clip


def test_clips_have_the_wanted_label_length_and_seed(gan, make, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    make("latent_prior", params("latent_prior")).trained().save(Path("models/latent_prior"))
    gan().trained().save(Path("models/feature_gan"))
    model = load_maker(Path("models/feature_gan"), fake.AUDIO, torch.device("cpu"))
    assert isinstance(model, Sampler) and isinstance(model, Decoded)
    assert model.decoded(np.zeros((1, 64, 32), np.float32)).shape == (1, 64, 32)
    clips = model.sample(3, 7, "drone")
    assert clips.shape == (3, 64, 32) and clips.dtype == np.float32
    wanted = model.gan.vectors([1, 1, 1], 7)[:, :32]
    heard = clips.mean(1) > -11
    assert np.allclose(clips.mean(1)[heard], wanted[heard], atol=0.2)
    assert np.array_equal(clips, model.sample(3, 7, "drone"))
    assert not np.array_equal(clips, model.sample(3, 8, "drone"))
    assert model.sample(2, 7, frames=100).shape == (2, 100, 32)
    with pytest.raises(UserError, match=r"knows no label waltz \(known: beat, drone\)"):
        model.sample(1, 0, "waltz")
