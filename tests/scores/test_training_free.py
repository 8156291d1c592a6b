"""The training-free conversions do what their names say, exactly where exactness can be had."""

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE
from melodygan.scores.training_free import Equaliser, Transport

Float = NDArray[np.float32]


def frames(seed: int, mixing: Float, mean: float, count: int = 4000) -> Float:
    """Correlated Gaussian frames (count, 3) in ln units."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((count, 3)) @ mixing + mean).astype(np.float32)


SOURCE = frames(0, np.array([[1.0, 0.5, 0], [0, 1.0, 0.2], [0, 0, 0.5]]), -3.0)
TARGET = frames(1, np.array([[0.5, 0, 0], [-0.4, 1.5, 0], [0.3, 0, 1.0]]), -5.0)


def test_the_equaliser_gives_the_labels_mean_and_adds_one_gain_per_band() -> None:
    converted = Equaliser(TARGET)(SOURCE[:500])
    assert np.allclose(converted.mean(0), TARGET.mean(0), atol=1e-4)
    gain = converted - SOURCE[:500]
    assert np.allclose(gain, gain[0], atol=1e-5)
    assert converted.dtype == np.float32


def test_transport_gives_the_labels_mean_covariance_and_histograms() -> None:
    converted = Transport(SOURCE, TARGET)(SOURCE)
    assert np.allclose(converted.mean(0), TARGET.mean(0), atol=0.02)
    assert np.allclose(np.cov(converted.T), np.cov(TARGET.T), atol=0.1)
    levels = [1, 25, 50, 75, 99]
    wanted = np.percentile(TARGET, levels, axis=0)
    assert np.allclose(np.percentile(converted, levels, axis=0), wanted, atol=0.05)
    assert not np.allclose(np.cov(SOURCE.T), np.cov(TARGET.T), atol=0.3)  # it had to be moved


def test_transport_moves_no_further_than_needed() -> None:
    """Any other map with the same outcome, such as to the target's frames in order, costs more."""
    moved = np.square(Transport(SOURCE, TARGET)(SOURCE) - SOURCE).sum(1).mean()
    assert moved < 0.8 * np.square(TARGET - SOURCE).sum(1).mean()
    assert np.abs(Transport(SOURCE, SOURCE)(SOURCE) - SOURCE).max() < 0.05


def test_neither_goes_below_silence_nor_fails_on_silence() -> None:
    silent = np.full((200, 3), LOG_SILENCE, np.float32)
    low = TARGET - 6
    for convert in (Equaliser(low), Transport(SOURCE, low), Transport(silent, TARGET)):
        converted = convert(np.concatenate([silent, SOURCE[:200]]))
        assert np.isfinite(converted).all()
        assert converted.min() >= LOG_SILENCE - 1e-5
    assert Transport(SOURCE, silent)(SOURCE) == pytest.approx(LOG_SILENCE, abs=1e-5)
