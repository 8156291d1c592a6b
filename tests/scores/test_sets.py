"""Scores of sets between their anchors, on made clips: what is better must look better."""

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.scores.embedding import Embedding, describe
from melodygan.scores.sets import RealSets

Float = NDArray[np.float32]

MELS, FRAMES = 32, 96


def made_clips(count: int, seed: int, tempo: int = 8, tilt: float = 2.0) -> Float:
    """Log-mel of notes at a steady tempo (frames per note) with falling spectra.

    Returns (count, MELS, FRAMES), ln units.
    """
    rng = np.random.default_rng(seed)
    clips = np.empty((count, MELS, FRAMES))
    bands = np.arange(MELS)[:, None]
    for clip in clips:
        starts = np.arange(FRAMES) - rng.integers(tempo)
        decay = -0.15 * (starts % tempo)
        notes = np.repeat(rng.uniform(4, 20, FRAMES // tempo + 2), tempo)[:FRAMES]
        peaks = 3 * np.exp(-0.5 * ((bands - notes) / 1.5) ** 2)
        clip[:] = peaks + decay - tilt * bands / MELS + rng.normal(0, 0.2, (MELS, FRAMES)) - 2
    return clips.astype(np.float32)


@pytest.fixture(scope="module")
def real() -> RealSets:
    return RealSets(made_clips(120, 0), made_clips(80, 1), made_clips(120, 0), seed=0)


def test_sets_of_equal_size_are_compared(real: RealSets) -> None:
    assert real.count == 80
    assert {len(clips) for clips in (real.held_out, *real.anchors.values())} == {80}
    assert (
        RealSets(made_clips(20, 0), made_clips(9, 1), made_clips(20, 0), seed=0, count=7).count == 7
    )


def test_the_floor_lies_below_the_noise_in_every_distance(real: RealSets) -> None:
    scores = real.scores(made_clips(80, 2))
    for name in ("frechet_distance", "kernel_distance"):
        assert scores[name]["floor"] < 0.5 * scores[name]["noise"], name
    assert scores["coverage"]["floor"] > 0.8 > 0.2 > scores["coverage"]["noise"]


def test_new_clips_of_the_same_kind_lie_at_the_floor(real: RealSets) -> None:
    scores = real.scores(made_clips(80, 2))
    for name in ("frechet_distance", "kernel_distance"):
        span = scores[name]["noise"] - scores[name]["floor"]
        assert abs(scores[name]["value"] - scores[name]["floor"]) < 0.05 * span, name
    assert scores["coverage"]["value"] > 0.8
    assert scores["memorisation"]["value"] == pytest.approx(1, abs=0.2)


def test_clips_of_another_kind_are_further_away_than_the_floor(real: RealSets) -> None:
    scores = real.scores(made_clips(80, 2, tempo=16, tilt=4.0))
    for name in ("frechet_distance", "kernel_distance"):
        assert scores[name]["value"] > 3 * max(scores[name]["floor"], 0.01), name


def test_a_generator_that_copies_the_training_data_is_no_better_than_the_floor_and_found_out(
    real: RealSets,
) -> None:
    scores = real.scores(made_clips(120, 0))
    assert scores["frechet_distance"]["value"] == pytest.approx(
        scores["frechet_distance"]["floor"], rel=0.5
    )
    memorisation = scores["memorisation"]
    assert memorisation["value"] == pytest.approx(0, abs=1e-4)
    assert memorisation["copies"] == pytest.approx(0, abs=1e-4)
    assert memorisation["floor"] == pytest.approx(1.0)


def test_a_collapsed_generator_covers_little(real: RealSets) -> None:
    one = np.repeat(made_clips(1, 3), 80, axis=0)
    assert real.scores(one)["coverage"]["value"] < 0.25


def test_equal_seeds_are_equal_scores() -> None:
    clips = made_clips(20, 2)
    first, second = (
        RealSets(made_clips(30, 0), made_clips(20, 1), made_clips(30, 0), seed=4).scores(clips)
        for _ in range(2)
    )
    assert first == second


def test_noise_70_db_down_does_not_change_the_description() -> None:
    clips = made_clips(10, 0)
    amplitude = np.exp(clips.astype(np.float64))
    loudest = amplitude.max((1, 2), keepdims=True)
    hiss = loudest * 10 ** (-70 / 20) * np.random.default_rng(0).random(clips.shape)
    silent = amplitude.copy()
    silent[:, :, 60:] = 1e-5  # digital silence, where the noise would show
    quiet, hissing = np.log(silent), np.log(silent + np.where(silent == 1e-5, hiss, 0))
    assert np.abs(hissing - quiet).max() > 3, "the noise is well above the absolute floor"
    spread = describe(clips).std(0) + 1e-6
    difference = describe(hissing.astype(np.float32)) - describe(quiet.astype(np.float32))
    assert np.abs(difference / spread).max() < 0.01


def test_a_louder_clip_differs_in_level_alone() -> None:
    clips = made_clips(10, 0)
    change = describe(clips + 1.0) - describe(clips)
    np.testing.assert_allclose(change[:, :16], 1.0, atol=1e-5)  # the bands' means
    np.testing.assert_allclose(change[:, 16:48], 0.0, atol=1e-5)  # their spread and movement


@pytest.mark.parametrize("shape", [(4, 8, 16), (3, 128, 20), (2, 80, 300)])
def test_any_size_of_clip_has_a_finite_description(shape: tuple[int, int, int]) -> None:
    clips = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    described = describe(clips)
    assert described.shape[0] == shape[0] and np.isfinite(described).all()
    assert np.isfinite(describe(np.zeros(shape, np.float32))).all()


def test_the_embedding_of_what_it_was_fitted_to_is_white() -> None:
    features = describe(made_clips(100, 0))
    embedded = Embedding.fit(features).apply(features)
    np.testing.assert_allclose(embedded.mean(0), 0, atol=1e-8)
    np.testing.assert_allclose(
        np.cov(embedded, rowvar=False, bias=True), np.eye(embedded.shape[1]), atol=1e-6
    )
