"""The CycleGAN: the published networks, the image pool, and learning a change of style."""

from pathlib import Path

import numpy as np
import pytest
import torch

from melodygan.blocks.scale import Scale
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.models.cyclegan.network import Generator
from melodygan.models.cyclegan.pool import ImagePool
from melodygan.models.cyclegan.training import choose_labels
from melodygan.pipeline import UserError
from melodygan.pipeline.params import parse

LEARNING = {"steps": 150, "lr": 2e-3, "validate_every": 50, "cycle": 5.0, "identity": 0.0,
            "pool": 10}  # fmt: skip


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


def test_conversion_gains_style_and_keeps_more_content_than_a_random_target(
    trained, features, params
) -> None:
    task = trained("cyclegan", params("cyclegan", **LEARNING))
    assert task.labels == ("beat", "drone")
    for direction in task.test().values():
        style, chroma = direction["style_probability"], direction["chroma_cosine"]
        assert style["identity"] < 0.2 and style["random_target"] > 0.8
        assert style["value"] > 0.5
        assert chroma["identity"] == pytest.approx(1, abs=1e-3)
        assert chroma["value"] > chroma["random_target"]


def some_model(features: FeatureSet, params: CycleGANParams) -> TrainedCycleGAN:
    torch.manual_seed(0)
    generators = {("a", "b"): Generator(4, 1), ("b", "a"): Generator(4, 1)}
    return TrainedCycleGAN(generators, params, features.audio, Scale(0.0))


def mel_of(frames: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-11, 0, (frames, 32)).astype(np.float32)


def test_any_length_converts_and_a_saved_model_converts_alike(
    features, params, tmp_path: Path
) -> None:
    model = some_model(features, params("cyclegan"))
    model.save(tmp_path / "cyclegan")
    again = TrainedCycleGAN.load(tmp_path / "cyclegan", features.audio)
    for frames in (1, 5, 64, 101):
        mel = mel_of(frames)
        converted = model.convert(mel, "a", "b")
        assert converted.shape == mel.shape
        assert np.array_equal(converted, again.convert(mel, "a", "b"))
    with pytest.raises(UserError, match=r"cannot convert b to c \(trained: a to b, b to a\)"):
        again.convert(mel, "b", "c")


def test_what_comes_later_has_no_say_in_what_a_passage_becomes(features, params) -> None:
    """Instance normalisation over a whole song would couple all its passages."""
    model, mel = some_model(features, params("cyclegan")), mel_of(320)
    silence = np.full((640, 32), -11.5, np.float32)
    longer = model.convert(np.concatenate([mel, silence]), "a", "b")
    assert np.array_equal(longer[:256], model.convert(mel, "a", "b")[:256])


def test_a_single_label_gives_a_model_without_directions(one_label, params, make) -> None:
    values = params("cyclegan")
    assert choose_labels(values, one_label) is None
    task = make("cyclegan", values)
    assert not task.networks and "no two labels" in task.idle and task.test() == {}
    task.trained().save(Path("models/cyclegan"))
    again = TrainedCycleGAN.load(Path("models/cyclegan"), one_label.audio)
    assert again.directions == []


@pytest.mark.parametrize("labels", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_labels_must_be_two_different_ones(labels: list[str], params) -> None:
    with pytest.raises(UserError, match="cyclegan: labels must name two different labels"):
        parse(CycleGANParams, {**vars(params("cyclegan")), "labels": labels}, "cyclegan")
