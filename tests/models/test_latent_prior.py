"""The autoregressive prior: what a position may see, sampling from the cache, and learning."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import steadiness
import torch

from melodygan.models.latent_prior.autoregressive.crops import Crops
from melodygan.models.latent_prior.autoregressive.network import Grid, GridTransformer
from melodygan.models.latent_prior.autoregressive.stream import Stream
from melodygan.models.latent_prior.config import AutoregressiveParams, LatentPriorParams
from melodygan.models.latent_prior.model import load
from melodygan.pipeline import UserError
from melodygan.pipeline.params import parse
from melodygan.training.guards import passed
from melodygan.training.verdict import Claim, Outcome, verdict

HEIGHT, COLUMNS, SIZE = 5, 6, 16
PART = 80  # columns, five training windows
DRIFT = 4.0  # standard errors
# long enough clips for what is heard in time, and a grid fine enough for the tunes
VQVAE = {"steps": 400, "lr": 2e-3, "stride": 4, "frames": 128}
ENDED = Outcome(150, 150, 1.0, "", 2, False, ())
LEARNING = {"steps": 150, "batch_size": 8, "lr": 3e-3, "validate_every": 150, "channels": 32,
            "layers": 2, "columns": 16}  # fmt: skip


def prior(params: Callable[..., Any], **changes: Any) -> LatentPriorParams:
    """The group, with changes of this kind's settings."""
    group = params("latent_prior", kind="autoregressive")
    return replace(group, autoregressive=replace(group.autoregressive, **changes))


@pytest.fixture(params=[1, 2])
def small(request: pytest.FixtureRequest, params) -> tuple[GridTransformer, AutoregressiveParams]:
    """A network of random weights, large enough for every input to matter; one and two books."""
    values = prior(params, columns=COLUMNS, channels=32, layers=2, top_p=0.9).autoregressive
    torch.manual_seed(0)
    network = GridTransformer(values, Grid(torch.randn(request.param, SIZE, 4), HEIGHT), 2).eval()
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    return network, values


def some_codes(network: GridTransformer, columns: int = COLUMNS) -> torch.Tensor:
    return torch.randint(0, SIZE, (3, len(network.codes), HEIGHT, columns))


def test_no_position_sees_what_comes_later(small) -> None:
    network, _ = small
    codes, labels = some_codes(network), torch.tensor([0, 1, 2])
    before = network(codes, labels)
    for column, row, book in [(0, 0, 0), (2, 3, 0), (3, 0, len(network.codes) - 1)]:
        other = codes.clone()
        other[:, book, row, column] = (other[:, book, row, column] + 1) % SIZE
        changed = (network(other, labels) - before).abs().amax((0, 4)) > 1e-6
        order = changed.permute(2, 1, 0).flatten()  # as the codes are written
        here = (column * HEIGHT + row) * len(network.codes) + book
        assert not order[: here + 1].any()
        assert order[here + 1 :].any()


def test_the_cached_sampler_sees_what_training_sees(small, monkeypatch) -> None:
    network, params = small
    codes, labels = some_codes(network), torch.tensor([0, 1, 2])
    seen: list[torch.Tensor] = []

    def forced(stream: Stream, logits: torch.Tensor) -> torch.Tensor:
        place, book = divmod(len(seen), len(network.codes))
        column, row = divmod(place, HEIGHT)
        seen.append(logits)
        return codes[:, book, row, column]

    monkeypatch.setattr(Stream, "_draw", forced)
    stream = Stream(network, params, labels, 0)
    for column in range(COLUMNS):
        assert torch.equal(stream.column(), codes[..., column])
    grid = torch.stack(seen, 1).unflatten(1, (COLUMNS, HEIGHT, -1)).permute(0, 3, 2, 1, 4)
    assert torch.allclose(grid, network(codes, labels), atol=1e-5)


def test_given_columns_are_gone_on_from(small) -> None:
    network, params = small
    codes, labels = some_codes(network), torch.tensor([0, 1, 2])
    drawn, given = (Stream(network, params, labels, 7) for _ in range(2))
    first = torch.stack([drawn.column() for _ in range(COLUMNS)], -1)
    for column in first.unbind(-1):
        assert torch.equal(given.column(column), column)
    given.random = drawn.random
    state = drawn.random.get_state()
    following = drawn.column()
    given.random.set_state(state)
    assert torch.equal(given.column(), following)
    assert not torch.equal(first[..., 0], codes[..., 0])


def test_a_stream_goes_on_beyond_its_window_in_bounded_memory(small) -> None:
    network, params = small
    stream = Stream(network, params, torch.tensor([0]), 0)
    codes = torch.stack([stream.column() for _ in range(5 * COLUMNS)], -1)
    assert len(codes.flatten().unique()) > 2
    assert all(cache.keys.shape[2] == COLUMNS * HEIGHT for cache in stream.caches)


def test_guidance_carries_the_logits_on_from_those_without_a_label(small, monkeypatch) -> None:
    network, params = small
    labels = torch.tensor([1])
    logits = {}
    for guidance, index in ((1.0, 1), (1.0, 2), (3.0, 1)):
        stream = Stream(
            network,
            AutoregressiveParams(**{**vars(params), "guidance": guidance, "top_p": 1.0}),
            torch.tensor([index]),
            0,
        )
        shares: list[torch.Tensor] = []
        monkeypatch.setattr(
            torch, "multinomial", lambda share, n, generator, s=shares: s.append(share) or
            torch.zeros(len(share), 1, dtype=torch.long),
        )  # fmt: skip
        stream.column()
        logits[guidance, index] = shares[0].log()
    labelled, free, guided = logits[1.0, int(labels)], logits[1.0, 2], logits[3.0, 1]
    expected = (free + 3.0 * (labelled - free)).log_softmax(-1)
    assert torch.allclose(guided, expected, atol=1e-4)


def test_only_the_likeliest_codes_are_drawn(small) -> None:
    network, params = small
    stream = Stream(network, params, torch.zeros(1000, dtype=torch.long), 0)
    share = torch.tensor([0.5, 0.3, 0.15, 0.05]).expand(1000, 4)
    drawn = torch.bincount(stream._draw(share.log()), minlength=4)
    assert drawn[3] == 0, "top_p of 0.9 is reached without it"
    assert drawn[0] > drawn[1] > drawn[2] > 0


def test_training_pieces_are_moved_and_held_out_ones_are_not(make, features, params) -> None:
    vqvae = make("vqvae", params("vqvae")).trained()
    vqvae.network.quantiser.books[0].codes.copy_(torch.randn(32, 8) * 0.3)
    tracks, values = features.tracks("train"), prior(params).autoregressive
    rng = np.random.default_rng(0)
    plain = Crops(tracks, features.labels, vqvae, values)
    frames = (values.columns + 2 * vqvae.context) * 8
    assert plain.frames == frames
    whole = vqvae.encode(tracks[0].mel[None, :frames])[0, :, :, vqvae.context :][..., :8]
    assert torch.equal(plain.regular().codes[0], whole)
    mel = tracks[0].mel
    begun_again = np.concatenate([mel[-10:], mel[: plain.longest - 10]])
    assert np.array_equal(plain._from(0, len(mel) - 10), begun_again), "after its end"
    assert plain._ends[0] == len(mel), "every frame is a beginning"
    moved = Crops(
        tracks, features.labels, vqvae,
        AutoregressiveParams(**{**vars(values), "transpose": 3, "stretch": 0.1, "soften": 1.0}),
    )  # fmt: skip
    codes, labels = moved.random(16, rng)
    assert codes.shape == (16, 1, 4, 8)
    assert set(labels.tolist()) == {0, 1}


def test_training_makes_ordered_music_of_the_wanted_label(
    learnt, learns_music, features, params
) -> None:
    task = learns_music(learnt(**VQVAE), prior(params, **LEARNING), "noise")

    assert not task.outcome.warnings, "and it copies nothing"
    model = task.trained()
    real = [track.mel for track in features.tracks("train", "drone")]
    chance = steadiness.by_chance(real, model.vqvae, PART, 0)

    def change(then: Callable[[Stream], None]) -> np.ndarray:
        """From the first to the last of many training windows, after `then` half-way."""
        stream = Stream(model.network, model.params, torch.ones(8, dtype=torch.long), 5)
        written = (stream.column() for _ in itertools.count())
        first, *_ = steadiness.parts(written, model.vqvae, PART, 2)
        then(stream)
        *_, last = steadiness.parts(written, model.vqvae, PART, 3)
        return np.abs(steadiness.change(first, last, chance))

    assert change(lambda stream: None).max() < DRIFT
    assert change(lambda stream: stream.labels.zero_()).max() > 2 * DRIFT, "another label"
    cold = replace(model.params, temperature=0.3)
    assert change(lambda stream: setattr(stream, "params", cold)).max() > 2 * DRIFT

    again = load(Path("models/latent_prior"), features.audio)
    assert np.array_equal(again.sample(3, 7, "beat"), task.trained().sample(3, 7, "beat"))
    assert again.sample(2, 7, frames=101).shape == (2, 101, 32)
    with pytest.raises(UserError, match=r"no label waltz \(known: beat, drone\)"):
        again.sample(1, 7, "waltz")


def test_passages_of_training_tracks_are_told_wherever_they_are_joined_and_new_ones_are_not(
    learnt, make, features, params, monkeypatch
) -> None:
    vqvae = learnt(**VQVAE)
    task = make("latent_prior", prior(params, columns=32))
    rng = np.random.default_rng(0)
    added = {}  # to the distances, by which weights are picked

    def told(split: str) -> list[str]:
        """What is said of clips of two passages each, from anywhere in the tracks of a split."""
        mels = [track.mel for track in features.tracks(split)]
        halves = [
            mel[start:][:64]
            for mel in (mels[i] for i in rng.integers(0, len(mels), 64))
            for start in [rng.integers(0, len(mel) - 64)]
        ]
        clips = vqvae.round_trip(np.concatenate(halves).reshape(32, 128, -1))
        monkeypatch.setattr(task, "invent", lambda count: {"": clips})
        with torch.no_grad():
            values = task.validate()
        added[split] = values["distance"] - values["kernel_distance"] - values["time_distance"]
        return passed(task.limits, {"validation": [{"step": 50.0} | values]})

    assert told("test") == []
    (warning,) = told("train")
    assert warning.startswith("it has begun to copy training clips (memorisation 0.")
    assert added["test"] == pytest.approx(0) and added["train"] > 0.1
    assert "at step 50): more data, or a smaller latent_prior.autoregressive.channels" in warning
    ended = replace(ENDED, warnings=(warning,))
    claim = Claim("kernel_distance", 0.1, 1.0, "noise", interval=(0.0, 0.2))
    assert verdict("latent_prior", ended, claim).endswith(f"next: {warning}")


def test_an_untrained_prior_is_told_so_and_ignores_the_label(trained, features, params) -> None:
    trained("vqvae", params("vqvae", **VQVAE | {"steps": 100}))
    task = trained("latent_prior", prior(params, columns=16, steps=1))
    scores = task.test()
    assert "works" not in verdict("latent_prior", task.outcome, task.claim(scores))
    assert scores["label_accuracy"]["value"] < 0.75


def test_a_prior_that_has_learnt_noise_or_the_labels_the_wrong_way_round_is_told_so(
    trained, misled, features, params
) -> None:
    trained("vqvae", params("vqvae", **VQVAE | {"steps": 150}))
    music = fake.tunes(["beat", "drone"])
    few = prior(params, **LEARNING | {"steps": 40, "validate_every": 40})
    wrong = misled("latent_prior", few, fake.noise(music), music)
    scores = wrong.test()
    del scores["label_accuracy"]
    said = verdict("latent_prior", ENDED, wrong.claim(scores))
    assert re.search(r"(no better than|no difference shown from) real columns in random", said)

    other = {"beat": "drone", "drone": "beat"}
    swapped = [replace(track, label=other[track.label]) for track in music]
    wrong = misled("latent_prior", prior(params, **LEARNING), swapped, music)
    said = verdict("latent_prior", ENDED, wrong.claim(wrong.test()))
    assert "label_accuracy 0" in said and "no better than chance" in said


def test_music_plays_on_as_the_decoder_makes_it_of_the_whole(make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    model = make("latent_prior", prior(params)).trained()
    playing = model.play(3, "beat")
    pieces = [next(playing) for _ in range(30)]
    stream = model.stream(1, 3, "beat")
    codes = torch.stack([stream.column() for _ in range(70)], -1)
    whole = model.vqvae.decode(codes)[0]
    joined = np.concatenate(pieces)
    assert joined.shape == (30 * 16, 32)
    assert np.allclose(joined, whole[: len(joined)], atol=1e-4)


def test_the_codes_of_a_long_track_are_those_of_the_whole_in_pieces(
    make, features, params, monkeypatch
) -> None:
    vqvae = make("vqvae", params("vqvae")).trained()
    vqvae.network.quantiser.books[0].codes.copy_(torch.randn(32, 8) * 0.3)
    mel = np.concatenate([track.mel for track in features.tracks("train")])[:403]
    padded = np.pad(mel, ((0, -len(mel) % 8), (0, 0)), "edge")
    whole = vqvae.encode(padded[None])
    monkeypatch.setattr("melodygan.models.vqvae.model.PIECE", 40)
    pieces = torch.stack(list(vqvae.encode_pieces(lambda a, b: mel[a:b], len(mel))), -1)
    assert pieces.shape == whole.shape
    assert (pieces != whole).float().mean() < 0.01  # within rounding
    assert len(whole.unique()) > 4


def test_music_goes_on_from_the_end_of_a_track(make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    model = make("latent_prior", prior(params)).trained()
    model.vqvae.network.quantiser.books[0].codes.copy_(torch.randn(32, 8) * 0.3)
    mel = features.tracks("train")[0].mel
    known = (model.params.columns + model.vqvae.context) * 8
    goes_on = np.concatenate(list(itertools.islice(model.play(3, "beat", mel), 4)))
    end = np.concatenate(list(itertools.islice(model.play(3, "beat", mel[-known:]), 4)))
    other = np.concatenate(list(itertools.islice(model.play(3, "beat", mel[:known]), 4)))
    alone = np.concatenate(list(itertools.islice(model.play(3, "beat"), 4)))
    assert goes_on.shape == (4 * 16, 32)
    assert np.array_equal(goes_on, end), "what is before the window is not heard"
    assert not np.array_equal(goes_on, other)
    assert not np.array_equal(goes_on, alone)
    short = next(model.play(3, "beat", mel[:3]))
    assert np.array_equal(short, alone[:16]), "shorter than a column is nothing"


def test_a_variation_leaves_its_track_as_far_as_it_is_told(make, features, params) -> None:
    make("vqvae", params("vqvae")).trained().save(Path("models/vqvae"))
    model = make("latent_prior", prior(params)).trained()
    model.vqvae.network.quantiser.books[0].codes.copy_(torch.randn(32, 8) * 0.3)
    model.network.codes.copy_(model.vqvae.network.quantiser.books[0].codes[None])
    mel = np.array(features.tracks("train")[0].mel[:203])

    def varied(strength: float, label: str | None = "beat") -> np.ndarray:
        pieces = model.vary(lambda a, b: mel[a:b], len(mel), 3, strength, label)
        return np.concatenate(list(pieces))

    assert varied(0.5).shape == mel.shape
    padded = np.pad(mel, ((0, 5), (0, 0)), "edge")
    same = model.vqvae.round_trip(padded[None])[0, :203]
    assert np.allclose(varied(0.0), same, atol=1e-4)
    far = [np.abs(varied(strength) - same).mean() for strength in (0.02, 0.3, 0.6, 1.0)]
    assert far[0] < 1e-4
    assert far[0] < far[1] < far[2] < far[3]
    alone = np.concatenate(list(itertools.islice(model.play(3, "beat"), 13)))
    before = 203 - 8 * model.vqvae.context  # the end sounds otherwise where nothing follows
    assert np.allclose(varied(1.0)[:before], alone[:before], atol=1e-4)


def test_channels_that_the_heads_cannot_share_are_refused_with_their_key(params) -> None:
    values = {**vars(prior(params).autoregressive), "channels": 20}
    with pytest.raises(UserError, match=r"latent_prior: channels 20 must be a multiple of 4"):
        parse(AutoregressiveParams, values, "latent_prior")
