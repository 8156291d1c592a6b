"""The CycleGAN: the published networks, the image pool, and learning a change of style."""

from pathlib import Path

import numpy as np
import pytest
import torch

from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import Scale, TrainedCycleGAN, without_directions
from melodygan.models.cyclegan.network import Discriminator, Generator
from melodygan.models.cyclegan.pool import ImagePool
from melodygan.models.cyclegan.scores import ConversionScorer
from melodygan.models.cyclegan.training import CycleGANTask, choose_labels
from melodygan.pipeline import UserError
from melodygan.pipeline.params import parse
from melodygan.training.loop import train

PARAMS = CycleGANParams(
    labels=[],
    steps=150,
    batch_size=4,
    lr=2e-3,
    validate_every=50,
    patience=0,
    max_minutes=0.0,
    sample_every=0,
    frames=32,
    width=4,
    blocks=1,
    cycle=5.0,
    identity=0.0,
    pool=10,
)


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_sizes_are_those_of_the_published_networks() -> None:
    assert count(Generator(64, 9)) == 11_365_633
    assert count(Generator(64, 6)) == 7_825_153
    assert count(Discriminator(64)) == 2_762_689


def test_the_discriminator_judges_patches_of_70_by_70() -> None:
    network = Discriminator(2)
    for module in network.modules():  # instance norm would let every input reach every output
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda x: x  # type: ignore[method-assign]
    image = torch.randn(1, 1, 200, 200, requires_grad=True)
    output = network(image)
    output[0, 0, output.shape[2] // 2, output.shape[3] // 2].backward()
    touched = image.grad[0, 0].abs().sum(1).nonzero()
    assert int(touched.max() - touched.min()) + 1 == 70


def test_scale_is_inverted_exactly_inside_its_range() -> None:
    scale = Scale.of(-5.0, 2.5)
    mel = torch.linspace(-11.5, 4.9, 50)
    assert torch.allclose(scale.to_log(scale.to_unit(mel)), mel, atol=1e-5)


def test_the_pool_fills_first_and_then_answers_with_old_images_half_of_the_time() -> None:
    torch.manual_seed(0)
    pool = ImagePool(20)
    numbered = [torch.full((1, 1, 1, 1), float(i)) for i in range(1020)]
    assert all(pool.query(image).item() == i for i, image in enumerate(numbered[:20]))
    fresh = [pool.query(image).item() == i for i, image in enumerate(numbered[20:], 20)]
    assert 0.42 < np.mean(fresh) < 0.58
    assert len(pool.images) == 20


def test_conversion_gains_style_and_keeps_more_content_than_a_random_target(
    stage, features
) -> None:
    labels = choose_labels(PARAMS, features)
    assert labels == ("beat", "drone")
    task = train(stage("cyclegan"), PARAMS, 0, lambda: CycleGANTask(PARAMS, features, labels, 0))
    scores = ConversionScorer(features, labels, "test", 0).scores(task.trained())
    for direction in scores.values():
        style, chroma = direction["style_probability"], direction["chroma_cosine"]
        assert style["identity"] < 0.2 and style["random_target"] > 0.8
        assert style["value"] > 0.5
        assert chroma["identity"] == pytest.approx(1, abs=1e-3)
        assert chroma["value"] > chroma["random_target"]


def test_any_length_converts_and_a_saved_model_converts_alike(features, tmp_path: Path) -> None:
    torch.manual_seed(0)
    generators = {("a", "b"): Generator(4, 1), ("b", "a"): Generator(4, 1)}
    model = TrainedCycleGAN(generators, PARAMS, features.audio, Scale(0.0))
    model.save(tmp_path / "cyclegan")
    again = TrainedCycleGAN.load(tmp_path / "cyclegan", features.audio)
    for frames in (5, 64, 101):
        mel = np.random.default_rng(0).uniform(-11, 0, (frames, 32)).astype(np.float32)
        converted = model.convert(mel, "a", "b")
        assert converted.shape == mel.shape
        assert np.array_equal(converted, again.convert(mel, "a", "b"))
    with pytest.raises(UserError, match=r"cannot convert b to c \(trained: a to b, b to a\)"):
        again.convert(mel, "b", "c")


def test_a_single_label_gives_a_model_without_directions(one_label, tmp_path: Path) -> None:
    assert choose_labels(PARAMS, one_label) is None
    without_directions(PARAMS, one_label.audio).save(tmp_path / "cyclegan")
    assert TrainedCycleGAN.load(tmp_path / "cyclegan", one_label.audio).generators == {}


@pytest.mark.parametrize("labels", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_labels_must_be_two_different_ones(labels: list[str]) -> None:
    with pytest.raises(UserError, match="cyclegan: labels must name two different labels"):
        parse(CycleGANParams, {**vars(PARAMS), "labels": labels}, "cyclegan")
