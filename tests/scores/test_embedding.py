"""The descriptions of clips behind the distances."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.scores.convolutions import RandomConvolutions
from melodygan.scores.embedding import Embedding, describe
from melodygan.scores.rows import regular
from melodygan.scores.time_embedding import describe_time

Float = NDArray[np.float32]
Make = Callable[..., list[Float]]


@pytest.fixture(scope="module")
def clips(tracks: Make) -> Float:
    return regular(tracks(10, 0), 96, 24, 100).log_mel


def test_noise_70_db_down_does_not_change_the_description(clips: Float) -> None:
    amplitude = np.exp(clips.astype(np.float64))
    silent = amplitude.copy()
    silent[:, 60:] = 1e-5  # digital silence, where the noise would show
    loudest = silent.max((1, 2), keepdims=True)
    hiss = loudest * 10 ** (-70 / 20) * np.random.default_rng(0).random(clips.shape)
    quiet, hissing = np.log(silent), np.log(silent + np.where(silent == 1e-5, hiss, 0))
    assert np.abs(hissing - quiet).max() > 3, "the noise is well above the absolute floor"
    for hear in (describe, describe_time):
        spread = hear(clips).std(0) + 1e-6
        difference = hear(hissing.astype(np.float32)) - hear(quiet.astype(np.float32))
        assert np.abs(difference / spread).max() < 0.01


def test_a_louder_clip_differs_in_level_alone(clips: Float) -> None:
    change = describe(clips + 1.0) - describe(clips)
    np.testing.assert_allclose(change[:, :16], 1.0, atol=1e-5)  # the bands' means
    np.testing.assert_allclose(change[:, 16:48], 0.0, atol=1e-5)  # their spread and movement
    np.testing.assert_allclose(describe_time(clips + 1.0), describe_time(clips), atol=1e-4)


def test_a_pulse_is_its_own_like_after_a_period() -> None:
    beat = np.tile(np.repeat([0.0, -4.0], 8), 16).astype(np.float32)  # period 16 frames
    clip = np.broadcast_to(beat[None, :, None], (1, 256, 32))
    lags = describe_time(np.ascontiguousarray(clip))[0, : 8 * 16].reshape(8, 16)[:, 0]
    assert lags[2] == pytest.approx(1, abs=0.05) and lags[1] == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("shape", [(4, 16, 8), (3, 20, 128), (2, 300, 80)])
@pytest.mark.parametrize("hear", [describe, describe_time, None])
def test_any_size_of_clip_has_a_finite_description(
    shape: tuple[int, int, int], hear: Callable[[Float], NDArray[np.float64]] | None
) -> None:
    hear = hear or RandomConvolutions(shape[1], np.random.default_rng(0)).describe
    clips = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    described = hear(clips)
    assert described.shape[0] == shape[0] and np.isfinite(described).all()
    assert np.isfinite(hear(np.zeros(shape, np.float32))).all()


def test_the_embedding_of_what_it_was_fitted_to_is_white(clips: Float) -> None:
    embedded = Embedding.whitened(describe(clips)).apply(describe(clips))
    np.testing.assert_allclose(embedded.mean(0), 0, atol=1e-8)
    np.testing.assert_allclose(
        np.cov(embedded, rowvar=False, bias=True), np.eye(embedded.shape[1]), atol=1e-6
    )


def test_a_standardised_embedding_keeps_correlations(clips: Float) -> None:
    features = describe(clips)
    embedded = Embedding.standardised(features).apply(features)
    np.testing.assert_allclose(embedded.std(0), 1, atol=1e-3)
    np.testing.assert_allclose(
        np.corrcoef(embedded, rowvar=False), np.corrcoef(features, rowvar=False), atol=1e-6
    )
