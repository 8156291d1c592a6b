"""The flow prior: its velocity, its windows, and learning."""

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from melodygan.generation.makers import Player, Varier, at_temperature
from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.latent_prior.flow.model import TrainedFlow
from melodygan.models.latent_prior.flow.network import VelocityNet
from melodygan.models.latent_prior.model import load
from melodygan.models.vqvae.latents import components_of, latents_of
from melodygan.pipeline import UserError
from melodygan.training.verdict import Outcome, verdict

MEAN, SPREAD = 1.5, 0.4  # of the made-up latents whose velocity is known
VQVAE = {"steps": 400, "lr": 2e-3, "stride": 4, "frames": 128}
LEARNING = {"steps": 400, "batch_size": 16, "lr": 6e-3, "validate_every": 400, "channels": 16,
            "columns": 40, "solver_steps": 12, "average_decay": 0.98, "guidance": 2.0}  # fmt: skip
ENDED = Outcome(400, 400, 1.0, "", 1, False, ())


def prior(params: Callable[..., Any], **changes: Any) -> LatentPriorParams:
    """The group, with changes of this kind's settings."""
    group = params("latent_prior", kind="flow")
    return replace(group, flow=replace(group.flow, **changes))


class GaussianVelocity(nn.Module):
    """Where a point on its way from N(0, 1) to N(MEAN, SPREAD^2) goes on average.

    The labels 0 and 1 have the one mean and its opposite; none has a mean of 0.
    """

    def forward(self, x: Tensor, known: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        mean = torch.tensor([MEAN, -MEAN, 0.0])[labels][:, None, None, None]
        time = times[:, None, None, None]
        slope = (time * SPREAD**2 - (1 - time)) / ((1 - time) ** 2 + time**2 * SPREAD**2)
        return mean + slope * (x - time * mean)


@pytest.fixture
def untrained(make, features, params) -> Callable[..., TrainedFlow]:
    """The model before training, with codes far enough apart to tell latents from each other."""
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))

    def of(**changes: Any) -> TrainedFlow:
        model = make("latent_prior", prior(params, **changes)).trained()
        model.vqvae.network.quantiser.books[0].codes.copy_(torch.randn(32, 8) * 0.3)
        torch.nn.init.normal_(model.network.out.weight, std=0.1)  # zero would go nowhere
        return model

    return of


class Otherwise(nn.Module):
    """Another velocity, made from the right one."""

    def __init__(
        self, change: Callable[[GaussianVelocity, Tensor, Tensor, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.change = change

    def forward(self, *of: Tensor) -> Tensor:
        return self.change(GaussianVelocity(), *of)


@pytest.mark.parametrize("time", [0.1, 0.5, 0.9])
def test_the_velocity_of_least_loss_is_that_of_the_straight_lines(
    make, untrained, params, time: float
) -> None:
    untrained()
    task = make("latent_prior", prior(params))
    noise, other = torch.randn(2, 8192, 4, 1, 1, generator=torch.Generator().manual_seed(0))
    examples = {
        "latents": MEAN + SPREAD * other,
        "noise": noise,
        "times": torch.full((len(noise),), time),
        "labels": torch.zeros(len(noise), dtype=torch.long),
        "known": torch.zeros(len(noise), 1),
    }

    def loss(network: nn.Module) -> float:
        task.network = network
        (update,) = task.updates(examples, 0)
        return float(update.loss)

    # the variance of the way, less what a point on it tells
    told = (time * SPREAD**2 - (1 - time)) ** 2 / ((1 - time) ** 2 + time**2 * SPREAD**2)
    least = 1 + SPREAD**2 - told
    assert loss(GaussianVelocity()) == pytest.approx(least, rel=0.05)
    assert loss(Otherwise(lambda best, *of: -best(*of))) > least + 0.5
    if time != 0.5:
        reverse = Otherwise(lambda best, x, known, times, labels: best(x, known, 1 - times, labels))
        assert loss(reverse) > least + 0.5


def test_what_is_known_costs_nothing_and_is_shown_as_it_is(make, untrained, params) -> None:
    untrained()
    task = make("latent_prior", prior(params, batch_size=64))
    batch = task.batch(np.random.default_rng(0))
    known = batch["known"]
    assert set(known[:, :5].mean(1).tolist()) == {0.0, 1.0}, "the overlap, of some examples"
    assert not known[:, 5:].any()
    seen: list[Tensor] = []

    def wrong_where_known(x: Tensor, known: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        seen.append(x)
        way = batch["latents"] - batch["noise"]
        return way + 100 * known[:, None, None]

    task.network = wrong_where_known
    (update,) = task.updates(batch, 0)
    assert float(update.loss) == 0
    shown = known[:, None, None].expand_as(seen[0]) > 0
    assert torch.equal(seen[0][shown], batch["latents"][shown])
    assert not torch.equal(seen[0][~shown], batch["latents"][~shown])


def test_the_solver_follows_the_velocity_from_noise_to_latents(untrained) -> None:
    model = untrained(solver_steps=100)
    model.network = GaussianVelocity()
    noise = model._noise(2, torch.Generator().manual_seed(0))
    made = model._window(noise, torch.tensor([0, 1]), noise[..., :0])
    means = torch.tensor([MEAN, -MEAN])[:, None, None, None]
    assert torch.allclose(made, means + SPREAD * noise, atol=0.05)
    few = untrained(solver_steps=4)
    few.network = GaussianVelocity()
    coarse = few._window(noise, torch.tensor([0, 1]), noise[..., :0])
    assert not torch.allclose(coarse, made, atol=0.05)


def test_guidance_carries_the_velocity_on_from_the_one_without_a_label(untrained) -> None:
    noise, labels = None, torch.tensor([0, 1])
    made = {}
    for guidance in (0.0, 1.0, 3.0):
        model = untrained(solver_steps=1, guidance=guidance)
        model.network = GaussianVelocity()
        noise = model._noise(2, torch.Generator().manual_seed(0)) if noise is None else noise
        made[guidance] = model._window(noise, labels, noise[..., :0])
    expected = made[0.0] + 3 * (made[1.0] - made[0.0])
    assert torch.allclose(made[3.0], expected, atol=1e-4)
    assert not torch.allclose(made[0.0], made[1.0], atol=0.1)


def test_components_and_latents_are_two_ways_of_one(untrained) -> None:
    model = untrained()
    some = torch.randn(2, 4, 4, 10)
    latents = latents_of(some, model.mean, model.basis)
    assert torch.allclose(components_of(latents, model.mean, model.basis), some, atol=1e-4)


@pytest.mark.parametrize(("height", "columns"), [(16, 40), (10, 12), (5, 7)])
def test_the_network_takes_any_grid_and_hears_all_it_is_told(height: int, columns: int) -> None:
    torch.manual_seed(0)
    network = VelocityNet(4, height, 8, 2).eval()
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.2)
    x, times = torch.randn(2, 4, height, columns), torch.tensor([0.2, 0.7])
    labels = torch.tensor([0, 2])
    none = torch.zeros(2, columns)
    before = network(x, none, times, labels)
    assert before.shape == x.shape
    assert not torch.allclose(network(x, none, times + 0.1, labels), before, atol=1e-2)
    assert not torch.allclose(network(x, none + 1, times, labels), before, atol=1e-2)
    other = network(x, none, times, torch.tensor([0, 1]))
    assert not torch.allclose(other[1], before[1], atol=1e-2)
    alike = network(torch.zeros_like(x), none, times, labels)
    assert alike.std(2).mean() > 1e-2, "rows of silence differ"


def test_training_makes_ordered_music_of_the_wanted_label(
    learnt, learns_music, features, params
) -> None:
    task = learns_music(learnt(**VQVAE), prior(params, **LEARNING), "shuffled")

    stored = load_file("models/latent_prior/weights.safetensors")
    network = {f"{name}" for name, _ in task.network.named_parameters()}
    assert set(stored) == network | {"latent_mean", "latent_basis"}
    config = json.loads(Path("models/latent_prior/config.json").read_text())
    assert set(config) == {"kind", "params", "labels", "audio"}
    assert config["kind"] == "flow"
    assert set(config["params"]) == set(vars(task.params)), "and nothing of the other kind"

    model = load(Path("models/latent_prior"), features.audio)
    assert np.array_equal(model.sample(3, 7, "beat"), task.trained().sample(3, 7, "beat"))
    assert not np.array_equal(model.sample(3, 7, "beat"), model.sample(3, 8, "beat"))
    assert model.sample(2, 7, frames=501).shape == (2, 501, 32)
    with pytest.raises(UserError, match=r"no label waltz \(known: beat, drone\)"):
        model.sample(1, 7, "waltz")

    def at_seams(codes: Tensor, seams: list[int]) -> float:
        """How much the sound changes where these columns begin, beside where others do."""
        change = np.abs(np.diff(model.vqvae.decode(codes), axis=1)).mean((0, 2))
        change = change[3::4]  # into each column but the first
        at = [seam - 1 for seam in seams]
        return float(change[at].mean() / np.delete(change, at).mean())

    joined = torch.stack(list(itertools.islice(model.columns(16, 5, "drone"), 120)), -1)
    apart = [
        torch.stack(list(itertools.islice(model.columns(16, seed, "drone"), 20)), -1)
        for seed in range(6)
    ]
    assert at_seams(joined, [40, 60, 80, 100]) < 1.15
    assert at_seams(torch.cat(apart, -1), [20, 40, 60, 80, 100]) > 1.2


def test_an_untrained_flow_and_one_that_has_learnt_noise_are_told_so(
    trained, misled, features, params
) -> None:
    trained("vqvae", params("vqvae", **VQVAE | {"steps": 150}))
    few = LEARNING | {"steps": 60, "validate_every": 60}
    task = trained("latent_prior", prior(params, **few | {"steps": 1, "validate_every": 1}))
    scores = task.test()
    assert "works" not in verdict("latent_prior", task.outcome, task.claim(scores))
    assert scores["label_accuracy"]["value"] < 0.75
    music = fake.tunes(["beat", "drone"])
    wrong = misled("latent_prior", prior(params, **few), fake.noise(music), music)
    said = verdict("latent_prior", ENDED, wrong.claim(wrong.test()))
    assert re.search(r"(no better than|no difference shown from) real columns in random", said)


def test_training_twice_gives_the_same_bytes(trained, make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    weights = Path("models/latent_prior/weights.safetensors")
    made = []
    for steps in (4, 4, 5):
        trained("latent_prior", prior(params, steps=steps, validate_every=steps))
        made.append(weights.read_bytes())
    assert made[0] == made[1] != made[2]


def test_a_window_goes_on_from_what_is_known(untrained) -> None:
    model = untrained()
    random = torch.Generator().manual_seed(0)
    noise, labels = model._noise(2, random), torch.tensor([0, 1])
    known = torch.randn(2, 4, 4, 5)
    made = model._window(noise, labels, known)
    assert torch.equal(made[..., :5], known)
    other = model._window(noise, labels, known + 1)
    assert not torch.allclose(made[..., 5:], other[..., 5:], atol=1e-3)
    written = model.columns(2, 3, "beat")
    codes = torch.stack(list(itertools.islice(written, 25)), -1)
    assert codes.shape == (2, 1, 4, 25)
    again = torch.stack(list(itertools.islice(model.columns(2, 3, "beat"), 25)), -1)
    assert torch.equal(codes, again)


def test_music_plays_on_as_the_decoder_makes_it_of_the_whole_and_from_the_end_of_a_track(
    untrained, features
) -> None:
    model = untrained()
    assert isinstance(model, Player)

    def played(after: np.ndarray | None = None) -> np.ndarray:
        return np.concatenate(list(itertools.islice(model.play(3, "beat", after), 10)))

    codes = torch.stack(list(itertools.islice(model.columns(1, 3, "beat"), 30)), -1)
    alone = played()
    assert alone.shape == (160, 32)
    assert np.allclose(alone, model.vqvae.decode(codes)[0][:160], atol=1e-4)
    mel = features.tracks("train")[0].mel
    known = (model.params.columns // 2 + model.vqvae.context) * 8
    goes_on = played(mel)
    assert np.array_equal(goes_on, played(mel[-known:])), "what is before the overlap is not heard"
    assert not np.array_equal(goes_on, played(mel[:known]))
    assert not np.array_equal(goes_on, alone)
    assert np.array_equal(played(mel[:3]), alone), "shorter than a column is nothing"
    assert played(mel[:20]).shape == (160, 32), "shorter than the overlap"


def test_a_variation_leaves_its_track_as_far_as_it_is_told(untrained, features) -> None:
    model = untrained()
    assert isinstance(model, Varier)
    mel = np.array(features.tracks("train")[0].mel[:203])

    def varied(strength: float) -> np.ndarray:
        pieces = model.vary(lambda a, b: mel[a:b], len(mel), 3, strength, "beat")
        return np.concatenate(list(pieces))

    same = model.vqvae.round_trip(np.pad(mel, ((0, 5), (0, 0)), "edge")[None])[0, :203]
    assert np.allclose(varied(0.0), same, atol=1e-4)
    far = [np.abs(varied(strength) - same).mean() for strength in (0.0, 0.3, 0.6, 1.0)]
    assert far[0] < far[1] < far[2] < far[3]
    alone = np.concatenate(list(itertools.islice(model.play(3, "beat"), 13)))
    before = 203 - 8 * model.vqvae.context  # the end sounds otherwise where nothing follows
    assert np.allclose(varied(1.0)[:before], alone[:before], atol=1e-4)


def test_what_a_flow_has_not_and_what_is_no_kind_is_refused(untrained, features) -> None:
    model = untrained()
    with pytest.raises(UserError, match=r"^latent_prior has no temperature: leave --temperature"):
        at_temperature("latent_prior", model, 0.8)
    folder = Path("models/latent_prior")
    model.save(folder)
    assert isinstance(load(folder, features.audio), TrainedFlow)
    config = json.loads((folder / "config.json").read_text())
    for kind in ("diffusion", ["flow"]):
        (folder / "config.json").write_text(json.dumps(config | {"kind": kind}))
        with pytest.raises(UserError, match=r"config.json: `kind` must be autoregressive or flow"):
            load(folder, features.audio)
    (folder / "config.json").write_text(json.dumps(config | {"kind": "autoregressive"}))
    with pytest.raises(UserError, match=r"config.json: (unknown key|params)"):
        load(folder, features.audio)


def test_a_label_whose_tracks_are_all_shorter_than_a_window_cannot_be_asked_for(
    make, features, params
) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    tracks = [
        replace(track, mel=track.mel[:70]) if track.label == "beat" else track
        for track in fake.tunes(["beat", "drone"])
    ]
    fake.write_features(Path("data/features"), tracks)
    task = make("latent_prior", prior(params))
    assert task.labels == ["drone"]
    assert set(task.batch(np.random.default_rng(0))["labels"].tolist()) <= {0, 1}
