"""The conditional WGAN-GP: scale, schedule, even labels, and learning against what needs none."""

import re
from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import pytest
import torch

from melodygan.audio.layout import from_network, to_network
from melodygan.audio.mel import LOG_SILENCE
from melodygan.dataset.feature_set import Track
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.wgan_gp.gaussian import gaussian_clips, principal_axes
from melodygan.models.wgan_gp.model import TrainedWGANGP
from melodygan.models.wgan_gp.network import Critic, Generator
from melodygan.models.wgan_gp.scale import GAIN, to_log1p, to_log_mel
from melodygan.models.wgan_gp.spaces import looped
from melodygan.pipeline import UserError
from melodygan.training.verdict import Outcome, verdict

LEARNING = {"steps": 200, "batch_size": 16, "lr": 1e-3, "validate_every": 200, "channels": 8,
            "critic_steps": 2, "average_decay": 0.95}  # fmt: skip
MEL = {"space": "mel", "calibrate": False}
ENDED = Outcome(60, 60, 1.0, "", 1, False, ())


def test_the_scale_is_log1p_of_the_magnitude_and_comes_back_to_the_pipelines_mel() -> None:
    mel = torch.linspace(LOG_SILENCE, 4.0, 2001)
    back = to_log_mel(to_log1p(mel))
    assert (back - mel).abs().max() < 2e-3, "ln units; most at silence, where 1e-5 is one of 1e3"
    assert (back - mel)[mel > -7].abs().max() < 1e-5
    assert to_log1p(torch.tensor(2.0)).item() == pytest.approx(1.0)
    ratio = to_log1p(torch.tensor([0.0, -1.0]))
    expected = np.log1p(GAIN * np.exp([0.0, -1.0]))
    assert (ratio[0] / ratio[1]).item() == pytest.approx(expected[0] / expected[1], rel=1e-6)
    assert to_log_mel(torch.zeros(3)).tolist() == pytest.approx([LOG_SILENCE] * 3)
    clips = np.random.default_rng(0).normal(-5, 3, (2, 16, 8)).astype(np.float32)
    clips = np.maximum(clips, LOG_SILENCE)
    assert np.allclose(from_network(to_log_mel(to_log1p(to_network(clips)))), clips, atol=2e-3)


@pytest.mark.parametrize(
    ("space", "shape"),
    [("latent", (6, 16, 32)), ("latent", (5, 10, 7)), ("mel", (1, 80, 64)), ("mel", (1, 32, 50))],
)
def test_any_size_fits_and_the_label_matters_to_both(params, space, shape) -> None:
    torch.manual_seed(0)
    generator = Generator(params("wgan_gp", space=space), 3, shape)
    critic = Critic(4, 3, shape)
    if space == "latent":
        torch.nn.init.normal_(generator.up[-1].weight, std=0.1)
    noise, labels = torch.randn(1, 8).repeat(3, 1), torch.arange(3)
    samples = generator(noise, labels)
    assert samples.shape == (3, *shape)
    assert not torch.allclose(samples[0], samples[1])
    scores = critic(samples[:1].repeat(3, 1, 1, 1), labels)
    assert scores.shape == (3,) and len(set(scores.tolist())) == 3
    assert (samples.min() >= 0) == (space == "mel")


def test_the_generator_steps_after_every_few_steps_of_the_critic(make, features, params) -> None:
    task = make("wgan_gp", params("wgan_gp", critic_steps=3, **MEL))
    batch = task.batch(np.random.default_rng(0))
    stepped = [[update.optimiser for update in task.updates(batch, step)] for step in range(6)]
    only, both = ["critic"], ["critic", "generator"]
    assert stepped == [only, only, both, only, only, both]
    critic, generator = (list(task.updates(batch, 2))[i] for i in (0, 1))
    critic.loss.backward()
    assert all(p.grad is None for p in task.generator.parameters())
    task.critic.zero_grad()
    generator.loss.backward()
    assert all(p.grad is None for p in task.critic.parameters())
    wanted = 10 * critic.logs["gradient_penalty"] - critic.logs["wasserstein"]
    assert critic.loss.item() == pytest.approx(wanted.item())


def test_labels_are_drawn_evenly_however_many_tracks_they_have(make, project, params) -> None:
    """One label with nine times the music of the others; each batch has each label as often."""
    tracks = fake.tunes(["beat"], 3000) + fake.tunes(["drone", "waltz"], 320)
    fake.write_features(project / "data/features", tracks)
    task = make("wgan_gp", params("wgan_gp", batch_size=8, **MEL))
    assert task.labels == ["beat", "drone", "waltz"]
    counts = np.zeros(3, int)
    for step in range(30):
        labels = task.batch(np.random.default_rng(step))["labels"].numpy()
        each = np.bincount(labels, minlength=3)
        assert set(each) <= {2, 3}
        counts += each
    assert counts.max() - counts.min() < 15, "and over batches, as often as the others"


def test_each_example_is_of_its_label(make, features, params) -> None:
    task = make("wgan_gp", params("wgan_gp", batch_size=8, **MEL))
    batch = task.batch(np.random.default_rng(0))
    for example, label in zip(batch["real"], batch["labels"], strict=True):
        mel = from_network(to_log_mel(example))[0]
        own = [t.mel for t in features.tracks("train", task.labels[label])]
        near = [
            np.abs(track[start : start + 64] - mel).max() < 0.01
            for track in own for start in range(len(track) - 63)
        ]  # fmt: skip
        assert any(near)


def test_short_tracks_begin_again_and_no_frame_is_padding() -> None:
    mel = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    short, long = looped([Track("a", "mix", "x", "train", mel)] * 2, 10)[0], mel
    assert short.mel is long
    (track,) = looped([Track("a", "mix", "x", "train", mel)], 25)
    assert track.mel.shape == (25, 4)
    assert all(np.array_equal(track.mel[i], mel[i % 10]) for i in range(25))


def test_a_label_of_short_clips_is_learnt_like_any_other(make, project, params) -> None:
    tracks = fake.tunes(["beat"], 320) + fake.tunes(["drone"], 40)
    fake.write_features(project / "data/features", tracks)
    task = make("wgan_gp", params("wgan_gp", **MEL))
    assert {len(clips[0]) for clips in task.invent(2).values()} == {64}
    assert set(task.validate()) >= {"label_distance", "diversity"}


def test_a_gaussian_has_the_means_and_covariance_of_the_examples() -> None:
    torch.manual_seed(0)
    examples = torch.randn(60, 3, 4) * torch.arange(1, 13).reshape(3, 4) + 5
    mean, axes = principal_axes(examples, 20)
    flat = (examples - examples.mean(0)).flatten(1)
    assert torch.allclose(mean, examples.mean(0), atol=1e-5)
    spread = axes.flatten(1)
    assert torch.allclose(spread.T @ spread, flat.T @ flat / 60, atol=1e-3)
    assert torch.allclose(spread[12:], torch.zeros(8, 12)), "no more axes than dimensions"
    few = principal_axes(examples[:5], 20)[1]
    assert few.shape == (20, 3, 4) and few[5:].abs().max() == 0
    clips = np.maximum(examples.numpy() * 0.1 - 6, LOG_SILENCE)
    drawn = gaussian_clips(clips, 12, 4000, 0)
    assert np.allclose(drawn.mean(0), clips.mean(0), atol=0.1)
    assert np.allclose(drawn.std(0), clips.std(0), rtol=0.1)


def test_untrained_latents_are_the_labels_gaussian(make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    task = make("wgan_gp", params("wgan_gp"))
    noise, labels = torch.randn(4, 8), torch.tensor([0, 1, 0, 1])
    with torch.no_grad():
        samples = task.generator(noise, labels)
    for row, index in enumerate(labels):
        axes = task.generator.axes[index].flatten(1)
        expected = task.generator.mean[index].flatten() + noise[row] @ axes
        assert torch.allclose(samples[row].flatten(), expected, atol=1e-5)


FAILED = r"(no better than|no difference shown from) a (calibrated )?Gaussian of each label, "


def test_training_brings_clips_nearer_to_their_label(trained, make, features, params) -> None:
    values = params("wgan_gp", **LEARNING, **MEL)
    before = make("wgan_gp", values).validate()
    task = trained("wgan_gp", values)
    after = task.validate()
    assert after["label_distance"] < 0.9 * before["label_distance"]
    assert after["diversity"] > 2 * before["diversity"]


def test_clips_of_the_wanted_label_pass_and_of_another_one_are_told_so(
    trained, make, features, params
) -> None:
    """By accuracy, by what a classifier learns from them, and by the verdict; real ones work."""
    trained("vqvae", params("vqvae", steps=300, lr=2e-3, stride=4))
    task = trained("wgan_gp", params("wgan_gp", steps=20, noise_dim=32))
    right = task.invent(task.judge.count)
    judge = task._judge("test")
    scores = judge.scores(right)
    assert set(scores["labels"]) == {"beat", "drone"}
    wrong = judge.scores({"beat": right["drone"], "drone": right["beat"]})
    for name in ("label_accuracy", "train_on_generated"):
        assert scores[name]["value"] >= 0.9 and wrong[name]["value"] <= 0.1
    for label, of in scores["labels"].items():
        near, far = of["frechet_distance"], wrong["labels"][label]["frechet_distance"]
        assert near["floor"] < near["value"] < 0.5 * far["value"]
    assert re.search(FAILED, verdict("wgan_gp", ENDED, task.claim(wrong)))
    of = wrong["label_distance"]
    wrong["label_distance"] = of | {"value": of["floor"], "interval": of["floor_interval"]}
    assert ": works, " in verdict("wgan_gp", ENDED, task.claim(wrong))

    again = TrainedWGANGP.load(Path("models/wgan_gp"), features.audio)
    assert np.array_equal(again.sample(3, 7, "beat"), task.trained().sample(3, 7, "beat"))
    assert again.sample(2, 7, frames=20).shape == (2, 20, 32)
    with pytest.raises(UserError, match=r"no label waltz \(known: beat, drone\)"):
        again.sample(1, 7, "waltz")
    with pytest.raises(UserError, match=r"at most 0\.5 s"):
        again.sample(1, 7, frames=65)


def test_untrained_generators_of_log_mel_are_told_so(make, features, params) -> None:
    task = make("wgan_gp", params("wgan_gp", **MEL))
    assert re.search(FAILED, verdict("wgan_gp", ENDED, task.claim(task.test())))


def test_clips_that_are_all_alike_have_no_diversity(make, features, params) -> None:
    task = make("wgan_gp", params("wgan_gp", **MEL))
    one = {label: np.repeat(clips, task.judge.count, 0) for label, clips in task.invent(1).items()}
    assert task.judge.values(one)["diversity"] < 1e-4
    real = {
        label: np.stack(
            [t.mel[i : i + 64] for t in features.tracks("validation", label) for i in (0, 99, 300)]
        )
        for label in task.labels
    }
    assert task.judge.values(real)["diversity"] > 0.6


def test_calibrated_clips_have_the_levels_of_real_ones(make, features, params) -> None:
    """In the mean and the spread of each band."""
    task = make("wgan_gp", params("wgan_gp", space="mel", calibrate=True))
    task.generator.up[-1].bias.data.fill_(0.5)  # some sound of an untrained generator
    real = np.concatenate([t.mel for t in features.tracks("train", "beat")])
    clips = task.trained().sample(32, 3, "beat").reshape(-1, 32)
    task.params = replace(task.params, calibrate=False)
    worse = task.trained().sample(32, 3, "beat").reshape(-1, 32)
    for of in (np.mean, np.std):
        error, before = (np.abs(of(x, 0) - of(real, 0)).mean() for x in (clips, worse))
        assert error < 0.3 < before


def test_a_model_of_log_mel_needs_no_vqvae(make, features, params) -> None:
    task = make("wgan_gp", params("wgan_gp", **MEL))
    task.trained().save(Path("models/wgan_gp"))
    assert not Path("models/vqvae").exists()
    again = TrainedWGANGP.load(Path("models/wgan_gp"), features.audio)
    assert np.array_equal(again.sample(2, 1, "drone"), task.trained().sample(2, 1, "drone"))
    real = features.tracks("test")[0].mel[None, :64]
    assert again.decoded(real) is real


def test_a_length_that_no_codes_fill_is_refused(make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    with pytest.raises(UserError, match=r"wgan_gp\.frames must be a multiple of vqvae\.stride, 8"):
        make("wgan_gp", params("wgan_gp", frames=60))


def test_a_vqvae_of_another_size_is_refused(make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    make("wgan_gp", params("wgan_gp")).trained().save(Path("models/wgan_gp"))
    other = make("vqvae", params("vqvae", code_dim=4)).trained()
    other.save(Path("models/vqvae"))
    with pytest.raises(UserError, match=r"does not fit models/vqvae: run `dvc repro`"):
        TrainedWGANGP.load(Path("models/wgan_gp"), features.audio)
    assert isinstance(other, TrainedVQVAE)
