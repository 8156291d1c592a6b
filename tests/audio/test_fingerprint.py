"""Fingerprints depend on what is heard, not on blocks, level, sample rate or beginning."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.audio.decode import resample
from melodygan.audio.fingerprint import UNINFORMATIVE, Fingerprinter, fingerprint

RATE = 22050
HOP = 2048


@cache
def music(seed: int, seconds: float = 8.0) -> NDArray[np.float32]:
    """Three voices of decaying harmonic notes, (samples,) at 22,050 Hz."""
    rng = np.random.default_rng(seed)
    audio = np.zeros(round(seconds * RATE))
    time = np.arange(RATE) / RATE
    for start in np.sort(rng.uniform(0, seconds - 1, round(9 * seconds))):
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12)
        note = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 6))
        begin = round(start * RATE)
        audio[begin : begin + RATE] += note * np.exp(-rng.uniform(2, 8) * time)
    return (0.1 * audio).astype(np.float32)


def bit_error_rate(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> float:
    """Differing bits over all, frame by frame, as far as both reach."""
    frames = min(len(first), len(second))
    assert frames > 60
    return float(np.bitwise_count(first[:frames] ^ second[:frames]).mean() / 32)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 40), st.integers(0, 90_000)), max_size=12),
    st.sampled_from([8000, RATE]),
    st.integers(0, 170_000),
)
def test_blocks_may_be_cut_anywhere(sizes: list[int], rate: int, samples: int) -> None:
    audio = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    printer = Fingerprinter(rate)
    for block in np.split(audio, np.minimum(np.cumsum(sizes, dtype=np.int64), samples)):
        printer.add(block)
    np.testing.assert_array_equal(printer.result(), fingerprint(audio, rate))


def test_there_is_a_frame_for_each_hop_after_the_first_second() -> None:
    audio = music(0)
    first = 10 * HOP + HOP // 2 + HOP // 2  # smoothing and lag, and the window's second half
    assert fingerprint(audio[: first + HOP], RATE).shape == (1,)
    assert fingerprint(audio[: first + 41 * HOP], RATE).shape == (41,)
    np.testing.assert_array_equal(
        fingerprint(audio[: 60 * HOP], RATE), fingerprint(audio, RATE)[:49]
    )
    for samples in (0, 1, HOP, first):
        empty = fingerprint(audio[:samples], RATE)
        assert empty.shape == (0,)
        assert empty.dtype == np.uint32


def test_a_result_may_be_had_before_the_end() -> None:
    audio = music(0)
    printer = Fingerprinter(RATE)
    printer.add(audio[:50_001])
    np.testing.assert_array_equal(printer.result(), fingerprint(audio[:50_001], RATE))
    printer.add(audio[50_001:])
    np.testing.assert_array_equal(printer.result(), fingerprint(audio, RATE))


def test_the_level_makes_no_difference_and_other_music_makes_all() -> None:
    bits = fingerprint(music(0), RATE)
    assert bit_error_rate(bits, fingerprint(music(0) * np.float32(0.01), RATE)) < 0.001
    assert bit_error_rate(bits, fingerprint(-music(0), RATE)) == 0
    assert 0.4 < bit_error_rate(bits, fingerprint(music(1), RATE)) < 0.6


@pytest.mark.parametrize("offset", [HOP // 4, HOP // 2])
def test_frames_may_begin_anywhere(offset: int) -> None:
    audio = music(0)
    assert bit_error_rate(fingerprint(audio, RATE), fingerprint(audio[offset:], RATE)) < 0.2


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_frames_last_equally_long_at_any_sample_rate(rate: int) -> None:
    other = fingerprint(resample(music(0), RATE, rate), rate)
    assert bit_error_rate(fingerprint(music(0), RATE), other) < 0.05


def test_noise_at_20_db_leaves_the_bits() -> None:
    audio = music(0)
    noise = np.random.default_rng(0).normal(0, 0.1 * audio.std(), len(audio)).astype(np.float32)
    assert bit_error_rate(fingerprint(audio, RATE), fingerprint(audio + noise, RATE)) < 0.1


def test_silence_and_steady_sound_say_nothing() -> None:
    time = np.arange(5 * RATE) / RATE
    tones = [np.sin(2 * np.pi * hz * time) for hz in (220, 277, 330, 1000)]
    swelling = tones[0] * (1 + 0.5 * np.sin(2 * np.pi * 3 * time))
    for steady in (0 * time, tones[3], sum(tones), tones[0] * np.exp(-time), swelling):
        for scale in (0.2, 1e-4):
            rounded = np.round(steady * scale * 32767) / 32767  # as it comes from a 16-bit file
            bits = fingerprint((steady * scale).astype(np.float32), RATE)
            assert len(bits) > 40
            assert (bits == UNINFORMATIVE).all()
            if scale == 0.2:
                assert (fingerprint(rounded.astype(np.float32), RATE) == UNINFORMATIVE).all()


def test_silence_before_music_is_left_out_even_with_dither() -> None:
    lead = np.random.default_rng(0).integers(-1, 2, 5 * RATE) / 32768
    bits = fingerprint(np.concatenate([lead.astype(np.float32), music(0)]), RATE)
    before = 5 * RATE // HOP - 11
    assert (bits[:before] == UNINFORMATIVE).all()
    assert (bits[before + 11 :] != UNINFORMATIVE).mean() > 0.95


def test_low_sample_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8000 Hz, not 4000"):
        Fingerprinter(4000)
