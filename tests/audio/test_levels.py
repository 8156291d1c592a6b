"""What float files, opposite phases and constant offsets do to the measures of a recording."""

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.audio.clipping import ClippingMeter, clipped_fraction
from melodygan.audio.decode import to_mono
from melodygan.audio.phase import polarity
from melodygan.audio.silence import LevelMeter
from melodygan.dataset.scratch import Scratch

RATE = 22050
Float = NDArray[np.float32]


def wave(hertz: float, peak: float, seconds: float = 2.0) -> Float:
    time = np.arange(round(seconds * RATE)) / RATE
    return (peak * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[:, None]


@pytest.mark.parametrize("hertz", [20.0, 440.0, 3000.0])
@pytest.mark.parametrize("peak", [1.5, 2.0, 30_000.0])
def test_round_peaks_above_full_scale_are_not_clipped(hertz: float, peak: float) -> None:
    assert clipped_fraction(wave(hertz, peak)) < 0.01


@pytest.mark.parametrize("limit", [1.0, 1.7])
def test_flat_tops_are_clipped_at_whatever_level_above_full_scale(limit: float) -> None:
    flat = np.clip(wave(440, 4.0), -limit, limit)
    assert clipped_fraction(flat) > 0.5


def test_what_a_lossy_coder_makes_of_flat_tops_is_clipped_still() -> None:
    ripple = 0.04 * np.random.default_rng(0).standard_normal((2 * RATE, 1)).astype(np.float32)
    rebuilt = np.clip(wave(110, 4.0), -1.05, 1.05) + ripple * (np.abs(wave(110, 4.0)) > 1.05)
    meter = ClippingMeter(exact=False)
    meter.add(rebuilt)
    assert meter.fraction > 0.3
    hot = ClippingMeter(exact=False)
    hot.add(wave(440, 2.5))
    assert hot.fraction < 0.05


def test_the_fraction_does_not_depend_on_the_blocks() -> None:
    sound = np.clip(wave(97, 3.0), -1.4, 1.4)
    meter = ClippingMeter()
    for at in range(0, len(sound), 37):
        meter.add(sound[at : at + 37])
    assert meter.fraction == clipped_fraction(sound)


def noise(seed: int) -> Float:
    return np.random.default_rng(seed).normal(0, 0.1, 20_000).astype(np.float32)


def test_channels_that_are_upside_down_are_turned_over() -> None:
    sound, rest = noise(0), 0.01 * noise(1)
    for other in (-sound, rest - sound, -0.5 * sound):
        stereo = np.stack([sound, other], axis=1)
        assert polarity([stereo[:7000], stereo[7000:]]).tolist() == [1, -1]
        mono = to_mono(stereo * polarity([stereo]))
        assert np.corrcoef(mono, sound)[0, 1] > 0.99
        assert np.abs(mono).mean() > 0.5 * np.abs(sound).mean()
    many = np.stack([sound, sound, -sound, sound, -sound], axis=1)
    assert polarity([many]).tolist() == [1, 1, -1, 1, -1]


def test_ordinary_channels_stay_as_they_are() -> None:
    left, right = noise(2), noise(3)
    for pair in ((left, right), (left, left), (left, 0 * left), (left, right - 0.3 * left)):
        assert polarity([np.stack(pair, axis=1)]).tolist() == [1, 1]
    assert polarity([left[:, None]]).tolist() == [1]


def test_a_constant_offset_is_silence(tmp_path_factory: pytest.TempPathFactory) -> None:
    sound = wave(440, 0.2)
    sound[RATE // 2 : RATE] = 0
    meter = LevelMeter(RATE)
    meter.add(sound[:, 0] + np.float32(0.05))
    levels = meter.levels()
    assert levels[30:45].max() < levels[:20].min() - 60
    with Scratch(tmp_path_factory.mktemp("scratch"), RATE, RATE) as scratch:
        scratch.add(sound + np.float32(0.05))
        scratch.finish()
        assert scratch.peak == pytest.approx(0.2, abs=0.001)
        read = scratch.read(0, scratch.samples)
    assert abs(float(read.mean())) < 1e-5
    np.testing.assert_allclose(read, sound[:, 0] - sound.mean(), atol=1e-4)


def test_without_an_offset_no_sample_is_changed(tmp_path_factory: pytest.TempPathFactory) -> None:
    sound = noise(4)[:, None]
    sound -= sound.mean()
    with Scratch(tmp_path_factory.mktemp("scratch"), RATE, RATE) as scratch:
        scratch.add(sound)
        scratch.finish()
        np.testing.assert_array_equal(scratch.read(0, scratch.samples), sound[:, 0])
