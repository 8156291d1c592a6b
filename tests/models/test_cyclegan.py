"""The CycleGAN: the published networks, the image pool, and learning a change of style."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from melodygan.audio.histogram import BandHistograms
from melodygan.blocks.patchgan import PatchGAN
from melodygan.blocks.scale import Scale
from melodygan.commands.groups import JUDGED
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.content import chroma_loss, onset_loss
from melodygan.models.cyclegan.model import TrainedCycleGAN, make_generator
from melodygan.models.cyclegan.network import Generator, Simple, UNet
from melodygan.models.cyclegan.pool import ImagePool
from melodygan.models.cyclegan.training import choose_labels
from melodygan.pipeline import UserError
from melodygan.pipeline.params import parse
from melodygan.training.verdict import Outcome, verdict

LEARNING = {"steps": 150, "lr": 2e-3, "validate_every": 50, "cycle": 0.0, "identity": 0.0}
FRAMES = 640
PAPER = {"residual": False, "cycle": 10.0, "identity": 5.0, "chroma": 0.0, "onset": 0.0,
         "calibrate": False}  # fmt: skip


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_sizes_are_those_of_the_published_networks() -> None:
    assert count(Generator(64, 9)) == 11_365_633
    assert count(Generator(64, 6)) == 7_825_153


def test_the_pool_fills_first_and_then_answers_with_old_images_half_of_the_time() -> None:
    torch.manual_seed(0)
    pool = ImagePool(20)
    numbered = [torch.full((1, 1, 1, 1), float(i)) for i in range(1020)]
    assert all(pool.query(image).item() == i for i, image in enumerate(numbered[:20]))
    fresh = [pool.query(image).item() == i for i, image in enumerate(numbered[20:], 20)]
    assert 0.42 < np.mean(fresh) < 0.58
    assert len(pool.images) == 20


KINDS = ["resnet", "unet", "simple"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_residual_generator_starts_as_the_identity(kind: str, params) -> None:
    mel = torch.rand(2, 1, 32, 64) * 2 - 1
    values = params("cyclegan", generator=kind)
    assert torch.equal(make_generator(values, 32)(mel), mel)
    paper = make_generator(params("cyclegan", generator=kind, **PAPER), 32)
    assert not torch.allclose(paper(mel), mel, atol=0.1)
    assert float(paper(100 * mel).detach().abs().max()) <= 1  # tanh


def test_the_paper_form_has_the_weights_of_the_residual_one() -> None:
    for paper, residual in [
        (Generator(4, 2), Generator(4, 2, residual=True)),
        (UNet(4), UNet(4, residual=True)),
        (Simple(4, 32), Simple(4, 32, residual=True)),
    ]:
        shapes, others = (
            {name: value.shape for name, value in network.state_dict().items()}
            for network in (paper, residual)
        )
        assert shapes == others


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_bands_and_frames_passes(kind: str, params) -> None:
    torch.manual_seed(0)
    values = params("cyclegan", generator=kind, **PAPER)
    for n_mels, frames in ((80, 128), (36, 100)):  # of presets/hifigan.yaml; no multiple of 16
        mel = torch.rand(2, 1, n_mels, frames) * 2 - 1
        generator = make_generator(values, n_mels)
        assert generator(mel).shape == mel.shape
        step = generator.multiple
        whole = torch.nn.functional.pad(mel, (0, -frames % step, 0, -n_mels % step), "replicate")
        assert torch.equal(generator(mel), generator(whole)[:, :, :n_mels, :frames])


@pytest.mark.parametrize("kind", KINDS)
def test_bands_and_patches_of_any_size_can_be_learnt_and_converted(
    kind: str, project: Path, params, make
) -> None:
    fake.change_params(project, {"audio": {"n_mels": 30}})
    audio = replace(fake.AUDIO, n_mels=30)
    fake.write_features(project / "data/features", fake.tunes(["beat", "drone"], 150, audio), audio)
    task = make("cyclegan", params("cyclegan", generator=kind, frames=45, **PAPER))
    batch = task.batch(np.random.default_rng(0))
    assert {tuple(of.shape[1:]) for of in batch.values()} == {(1, 30, 45)}
    losses = [update.loss for update in task.updates(batch, 0)]
    assert len(losses) == 2 and all(loss.isfinite() for loss in losses)
    source = task.features.tracks("test", "beat")[0].mel
    made = task.trained().convert(source, "beat", "drone")
    assert made.shape == (150, 30) and np.isfinite(made).all()


def test_the_doctors_fewest_bands_are_what_the_discriminator_needs() -> None:
    assert PatchGAN(1)(torch.rand(1, 1, JUDGED, 32)).shape[2] == 1
    with pytest.raises(RuntimeError, match="Kernel size"):
        PatchGAN(1)(torch.rand(1, 1, JUDGED - 1, 32))


def test_the_simple_generator_knows_nothing_of_other_spans(params) -> None:
    generator = make_generator(params("cyclegan", generator="simple", **PAPER), 32)
    mel = torch.rand(1, 1, 32, 64)
    other = mel.clone()
    other[..., 16:32] = -mel[..., 16:32]
    changed = (generator(mel) != generator(other)).flatten(0, 2).any(0)
    assert changed[16:32].all() and not changed[:16].any() and not changed[32:].any()


def play(label: str, tune: int) -> np.ndarray:
    """A tune as log-mel (frames, n_mels).

    struck: dull, and rings. plucked: bright and short. blown: held, and hollow.
    """
    rng = np.random.default_rng(tune)
    beat = int(rng.integers(10, 22))
    notes = rng.integers(6, 26, FRAMES // beat + 1)
    time, band = np.arange(FRAMES)[:, None], np.arange(fake.AUDIO.n_mels)[None, :]
    away = band - notes[time // beat]
    if label == "struck":
        mel = -3 - 0.10 * band - (time % beat) / 9 - 0.5 * np.abs(away)
    elif label == "plucked":
        mel = -5 + 0.05 * band - 2 * ((time % beat) / 7) - away**2 / 8
    else:
        mel = -4 - 2 * (band % 2) - np.abs(away) + 0.5 * (time % beat < 2)
    mel = mel + 0.3 * rng.standard_normal(mel.shape)
    return np.maximum(mel, -11.5).astype(np.float32)


@pytest.fixture
def instruments(project: Path) -> FeatureSet:
    """Two labels whose tunes differ, and whose sound does too: a conversion is known to exist."""
    fake.write_features(project / "data/features", pieces())
    return FeatureSet(project / "data/features", fake.AUDIO)


TWO = ("plucked", "struck")


def pieces(labels: Sequence[str] = TWO) -> list[fake.FakeTrack]:
    return [
        fake.FakeTrack(f"{label}-{n}", label, split, play(label, 100 * place + n))
        for place, label in enumerate(labels)
        for n, split in enumerate(fake.SPLITS)
    ]


@pytest.mark.parametrize("kind", ["resnet", "unet"])
def test_conversion_learns_style_keeps_the_song_and_nears_the_true_rendering(
    kind: str, trained, instruments, params
) -> None:
    task = trained("cyclegan", params("cyclegan", generator=kind, **LEARNING))
    assert task.labels == TWO
    scores = task.test()
    for name in ("plucked_to_struck", "struck_to_plucked"):
        style = scores[name]["style_probability"]
        assert style["identity"] < 0.2 and style["random_target"] > 0.8
        assert style["value"] > 0.5
        assert scores[name]["chroma"]["value"] > 0.5 > scores[name]["chroma"]["random_target"]
    claim = task.claim(scores)
    assert claim.value < 0.4
    of = scores["mean"]["shortfall_both"]
    assert claim.baseline == min(of[name] for name in ("identity", "equaliser", "transport"))
    model = task.trained()
    source, true = play("plucked", 6), play("struck", 6)  # a test track
    made = model.convert(source, "plucked", "struck")
    assert np.abs(made - true).mean() < 0.6 * np.abs(source - true).mean()


@pytest.fixture
def trio(project: Path) -> FeatureSet:
    """Three labels, and a fourth whose only track is for training."""
    lone = fake.FakeTrack("lone", "lone", "train", play("struck", 7))
    fake.write_features(project / "data/features", [*pieces(("blown", *TWO)), lone])
    return FeatureSet(project / "data/features", fake.AUDIO)


def test_three_labels_are_learnt_at_once_in_all_six_directions(trio, trained, params) -> None:
    task = trained("cyclegan", params("cyclegan", **LEARNING | {"validate_every": 150}))
    assert task.labels == ("blown", "plucked", "struck")
    scores = task.test()
    ways = {f"{a}_to_{b}": (a, b) for a, b in permutations(task.labels, 2)}
    assert set(scores) == {*ways, "mean"}
    for name in ways:
        style = scores[name]["style_probability"]
        assert style["value"] > style["identity"] + 0.05
    style = scores["mean"]["style_probability"]
    assert style["value"] > style["identity"] + 0.3
    assert task.claim(scores).value < 0.7
    model = TrainedCycleGAN.load(Path("models/cyclegan"), fake.AUDIO)
    assert model.directions == list(ways.values())
    networks = {id(network) for network in model.generators.values()}
    assert len(networks) == 3  # one a label, also in the file
    names = load_file("models/cyclegan/weights.safetensors")
    assert {name.split(".")[0] for name in names} == {"0", "1", "2", "levels"}
    for way in ways.values():
        source = play(way[0], 6)
        made = model.convert(source, *way)
        assert np.array_equal(made, task.trained().convert(source, *way))
        true = play(way[1], 6)
        assert np.abs(made - true).mean() < np.abs(source - true).mean()


def test_each_generator_hears_every_other_label_in_turn(trio, params, make) -> None:
    task = make("cyclegan", params("cyclegan"))
    heard = set()
    for step in range(2):
        batch = task.batch(np.random.default_rng(step))
        for label, generator in task.generators.items():
            generator.register_forward_pre_hook(
                lambda _, inputs, label=label, batch=batch: heard.update(
                    (source, label) for source, of in batch.items() if inputs[0] is of
                )
            )
        next(task.updates(batch, step))
    same = {(label, label) for label in task.labels}  # of the identity loss
    assert heard - same == set(permutations(task.labels, 2))


def test_labels_that_are_named_are_those_that_are_learnt(trio, params) -> None:
    for labels in (["struck", "blown"], ["struck", "blown", "plucked"]):
        assert choose_labels(params("cyclegan", labels=labels), trio) == tuple(labels)
    cafe = "caf\u00e9"
    tracks = [replace(t, label=cafe) if t.label == "blown" else t for t in pieces(("blown", *TWO))]
    fake.write_features(Path("data/features"), tracks)
    decomposed = params("cyclegan", labels=["struck", "cafe\u0301"])
    assert choose_labels(decomposed, FeatureSet(Path("data/features"), fake.AUDIO)) == (
        "struck", cafe,
    )  # fmt: skip
    with pytest.raises(UserError, match="no validation track with label lone"):
        choose_labels(params("cyclegan", labels=["struck", "lone"]), trio)


UNFINISHED = Outcome(0, 0, None, "", 0, False, ())


def test_an_untrained_model_is_told_that_it_is_no_better_than_its_baseline(
    instruments, params, make
) -> None:
    task = make("cyclegan", params("cyclegan", calibrate=False))
    scores = task.test()
    assert scores["mean"]["shortfall_both"]["value"] == pytest.approx(1, abs=0.1)
    claim = task.claim(scores)
    assert claim.value > claim.baseline
    assert "no better than" in verdict("cyclegan", UNFINISHED, claim)


def test_calibration_alone_does_not_pass_for_a_trained_model(instruments, params, make) -> None:
    task = make("cyclegan", params("cyclegan", calibrate=True))
    claim = task.claim(task.test())
    assert claim.reached < 0.05 or claim.unclear


def test_a_model_that_stays_in_its_own_label_fails(instruments, params, make) -> None:
    task = make("cyclegan", params("cyclegan"))
    judge = task._judge("test")
    own = {
        direction: [judge.tracks[direction[0]][1 - i] for i in range(2)]
        for direction in judge.anchors
    }
    claim = task.claim(judge.judge(own))
    assert claim.value > 1
    assert "no better than" in verdict("cyclegan", UNFINISHED, claim)


def test_a_model_that_has_learnt_from_swapped_labels_is_told_so(misled, params) -> None:
    other = {"plucked": "struck", "struck": "plucked"}
    swapped = [replace(track, label=other[track.label]) for track in pieces()]
    task = misled("cyclegan", params("cyclegan", **LEARNING | {"steps": 50}), swapped, pieces())
    claim = task.claim(task.test())
    assert claim.value > claim.baseline and not claim.unclear
    assert "no better than" in verdict("cyclegan", UNFINISHED, claim)


def test_levels_are_those_of_the_target_after_calibration(features, params, make) -> None:
    task = make("cyclegan", params("cyclegan", calibrate=True))  # its generators do nothing yet
    model = task.trained()
    for source, target in model.directions:
        converted = np.concatenate([model.convert(t.mel, source, target)
                                    for t in features.tracks("train", source)])  # fmt: skip
        wanted = np.concatenate([track.mel for track in features.tracks("train", target)])
        for quantile in (10, 50, 90):
            found = np.percentile(converted, quantile, axis=0)
            assert np.abs(found - np.percentile(wanted, quantile, axis=0)).mean() < 0.3


def test_content_losses_hear_other_notes_and_other_onsets_and_not_another_timbre(features) -> None:
    tracks = [
        torch.from_numpy(track.mel[:128].T.copy())[None] for track in features.tracks("train")
    ]
    mel, other = tracks[0], tracks[1].roll(5, 2)
    louder = (mel + torch.linspace(0, 1, 32)[None, :, None]).requires_grad_()
    for loss in (lambda *pair: chroma_loss(features.audio, *pair), onset_loss):
        assert float(loss(mel, mel)) == pytest.approx(0, abs=1e-3)
        of_louder = loss(mel, louder)
        assert of_louder.item() < 0.3 < float(loss(mel, other))
        (gradient,) = torch.autograd.grad(of_louder, louder)
        assert gradient.isfinite().all() and float(gradient.abs().max()) > 0
        silent = torch.full_like(mel, -11.5)
        assert torch.isfinite(loss(mel, silent))


def test_losses_without_a_weight_are_neither_computed_nor_logged(features, params, make) -> None:
    for changes, logged in [
        (PAPER, {"adversarial", "cycle", "identity"}),
        ({"cycle": 0.0, "identity": 0.0}, {"adversarial", "chroma", "onset"}),
    ]:
        task = make("cyclegan", params("cyclegan", **changes))
        update = next(task.updates(task.batch(np.random.default_rng(0)), 0))
        assert set(update.logs) == logged


def test_patches_are_varied_as_asked_for_and_both_discriminators_forms_train(
    features, params, make
) -> None:
    def first(**changes: Any) -> Any:
        task = make("cyclegan", params("cyclegan", **changes))
        batch = task.batch(np.random.default_rng(0))
        losses = [float(update.loss.detach()) for update in task.updates(batch, 0)]
        assert np.isfinite(losses).all()
        return batch["beat"]

    plain = first(spectral_norm=True)
    for changes in ({"transpose": 3}, {"stretch": 0.2}, {"mask": 0.5}):
        varied = first(**changes)
        assert varied.shape == plain.shape and not torch.equal(varied, plain)


def some_model(features: FeatureSet, params: CycleGANParams) -> TrainedCycleGAN:
    torch.manual_seed(0)
    generators = {("a", "b"): Generator(4, 1), ("b", "a"): Generator(4, 1)}
    return TrainedCycleGAN(generators, params, features.audio, Scale(0.0))


def mel_of(frames: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-11, 0, (frames, 32)).astype(np.float32)


def test_any_length_converts_and_a_saved_model_converts_alike(
    features, params, tmp_path: Path
) -> None:
    model = some_model(features, params("cyclegan", residual=False))
    rng = np.random.default_rng(1)
    clips = {label: rng.uniform(-11, 0, (2, 32, 32)).astype(np.float32) for label in "ab"}
    model.calibrate(clips, {label: of[0] - 1 for label, of in clips.items()})
    model.save(tmp_path / "cyclegan")
    again = TrainedCycleGAN.load(tmp_path / "cyclegan", features.audio)
    for frames in (1, 5, 64, 101):
        mel = mel_of(frames)
        converted = model.convert(mel, "a", "b")
        assert converted.shape == mel.shape
        assert np.array_equal(converted, again.convert(mel, "a", "b"))
    with pytest.raises(UserError, match=r"cannot convert b to c \(trained: a to b, b to a\)"):
        again.convert(mel, "b", "c")


def test_levels_of_another_shape_are_refused(features, params, tmp_path: Path) -> None:
    model = some_model(features, params("cyclegan"))
    model.calibrations = {
        direction: BandHistograms(np.zeros((5, 32), np.float32), np.ones((5, 32), np.float32))
        for direction in model.directions
    }
    model.save(tmp_path / "cyclegan")
    with pytest.raises(UserError, match=r"levels of a to b are not those .*dvc repro -f cyclegan"):
        TrainedCycleGAN.load(tmp_path / "cyclegan", features.audio)


def test_what_comes_later_has_no_say_in_what_a_passage_becomes(features, params) -> None:
    """Instance normalisation over a whole song would couple all its passages."""
    model, mel = some_model(features, params("cyclegan")), mel_of(320)
    silence = np.full((640, 32), -11.5, np.float32)
    longer = model.convert(np.concatenate([mel, silence]), "a", "b")
    assert np.array_equal(longer[:256], model.convert(mel, "a", "b")[:256])


def test_a_single_label_gives_a_model_without_directions(one_label, params, make) -> None:
    values = params("cyclegan")
    assert choose_labels(values, one_label) == ()
    task = make("cyclegan", values)
    assert not task.networks and "no two labels" in task.idle and task.test() == {}
    task.trained().save(Path("models/cyclegan"))
    again = TrainedCycleGAN.load(Path("models/cyclegan"), one_label.audio)
    assert again.directions == []


@pytest.mark.parametrize("labels", [["a"], ["a", "a"], ["a", "b", "a"]])
def test_labels_must_be_two_or_more_different_ones(labels: list[str], params) -> None:
    with pytest.raises(UserError, match="cyclegan: labels must name two or more different ones"):
        parse(CycleGANParams, {**vars(params("cyclegan")), "labels": labels}, "cyclegan")
