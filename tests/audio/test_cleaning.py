"""Clipping, silence, noise and loudness on signals whose answers are known."""

import warnings

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.audio.clipping import FULL, ClippingMeter, clipped_fraction
from melodygan.audio.loudness import (
    LoudnessMeter,
    TruePeakMeter,
    integrated_loudness,
    normalising_gain,
    true_peak,
)
from melodygan.audio.noise import noise_free_span, spectral_flatness
from melodygan.audio.pcm import from_int16, to_int16
from melodygan.audio.silence import Cut, LevelMeter, block_size, kept_blocks, silence_cuts

RATE = 22050
Mono = NDArray[np.float32]


def sine(seconds: float, amplitude: float = 0.3, hz: float = 440.0) -> Mono:
    time = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def hiss(seconds: float, amplitude: float, seed: int = 0) -> Mono:
    rng = np.random.default_rng(seed)
    return rng.normal(0, amplitude, round(seconds * RATE)).astype(np.float32)


def rest(seconds: float) -> Mono:
    return np.zeros(round(seconds * RATE), np.float32)


def music(seconds: float, seed: int = 0) -> Mono:
    """Decaying chords every 0.4 s, starting at once."""
    rng = np.random.default_rng(seed)
    chords = []
    for _ in range(round(seconds / 0.4)):
        notes = 220 * 2 ** (rng.integers(0, 24, 3) / 12)
        chord = sum(sine(0.4, 0.2, hz) for hz in notes)
        chords.append(chord * np.exp(-np.arange(len(chord)) / (0.15 * RATE)))
    return np.concatenate(chords).astype(np.float32)


def levels_of(audio: Mono) -> NDArray[np.float32]:
    meter = LevelMeter(RATE)
    meter.add(audio)
    return meter.levels()


def cuts_of(audio: Mono, gap: float) -> list[Cut]:
    return silence_cuts(levels_of(audio), len(audio), RATE, -50, gap)


def apply_cuts(audio: Mono, cuts: list[Cut], size: int = 1 << 16) -> Mono:
    blocks = kept_blocks(lambda a, b: audio[a:b], 0, len(audio), cuts, RATE, size)
    return np.concatenate([audio[:0], *blocks])


def span_of(audio: Mono) -> tuple[int, int]:
    return noise_free_span(lambda a, b: audio[a:b], levels_of(audio), len(audio), RATE, 6)


def pieces_of(audio: Mono, lengths: list[int]) -> list[Mono]:
    """`audio` in pieces of these lengths, and what is left in one more."""
    return np.split(audio, np.minimum(np.cumsum(lengths), len(audio)))


def test_only_runs_at_full_scale_count_as_clipping() -> None:
    audio = np.zeros((100, 2), np.float32)
    audio[10:12, 0] = 1.0  # two samples: a peak, not a flattened wave
    assert clipped_fraction(audio) == 0
    audio[50:60, 0] = -1.0
    assert clipped_fraction(audio) == pytest.approx(10 / 200)
    assert clipped_fraction(audio[:2]) == 0


@given(
    samples=st.lists(st.tuples(*[st.sampled_from([0, 0.5, FULL, -1])] * 2), min_size=1),
    lengths=st.lists(st.integers(0, 9)),
)
def test_clipping_is_the_same_in_any_blocks(
    samples: list[tuple[float, float]], lengths: list[int]
) -> None:
    audio = np.array(samples, np.float32)
    meter = ClippingMeter()
    for block in pieces_of(audio, lengths):
        meter.add(block)
    marks = ["".join("x" if abs(x) >= np.float32(FULL) else "." for x in c) for c in audio.T]
    runs = [run for mark in marks for run in mark.split(".") if len(run) >= 3]
    assert meter.fraction == sum(map(len, runs)) / audio.size


def test_a_sine_driven_into_full_scale_is_clipped_for_the_time_it_is_flat() -> None:
    flat = np.clip(sine(1, 2.0, 50), -1, 1)[:, None]
    expected = 1 - 2 / np.pi * np.arcsin(0.4995)
    assert clipped_fraction(flat) == pytest.approx(expected, abs=0.01)


def test_long_silences_are_shortened_to_the_gap_and_short_ones_stay() -> None:
    audio = np.concatenate([sine(1), rest(3), sine(1), rest(0.3), sine(1)])
    cuts = cuts_of(audio, 0.5)
    shorter = apply_cuts(audio, cuts)
    assert len(cuts) == 1
    assert len(shorter) / RATE == pytest.approx(3.8, abs=0.05)
    quiet = np.abs(shorter) < 1e-4
    assert quiet.sum() / RATE == pytest.approx(0.8, abs=0.05)


def test_silence_at_head_and_tail_is_shortened_too() -> None:
    audio = np.concatenate([rest(2), sine(1), rest(2)])
    shorter = apply_cuts(audio, cuts_of(audio, 0.25))
    assert len(shorter) / RATE == pytest.approx(1.5, abs=0.05)
    loud = np.flatnonzero(np.abs(shorter) > 0.01)
    assert loud[0] / RATE == pytest.approx(0.25, abs=0.03)


def test_sound_without_silence_is_returned_as_it_was() -> None:
    audio = music(4)
    cuts = cuts_of(audio, 0.5)
    assert cuts == []
    np.testing.assert_array_equal(apply_cuts(audio, cuts), audio)


def test_cuts_leave_no_click_in_a_stem_that_sounds_through_the_silence() -> None:
    reference = np.concatenate([sine(1), rest(2), sine(1)])
    other = sine(4, 0.5, 100)
    joined = apply_cuts(other, cuts_of(reference, 0.5))
    assert np.abs(np.diff(joined)).max() < 3 * np.abs(np.diff(other)).max()


@settings(max_examples=50, deadline=None)
@given(
    pieces=st.lists(st.tuples(st.floats(0.1, 1), st.floats(0, 1)), min_size=1, max_size=5),
    gap=st.floats(0, 0.6),
)
def test_the_result_is_shorter_by_the_sum_of_the_cuts(
    pieces: list[tuple[float, float]], gap: float
) -> None:
    audio = np.concatenate([np.append(sine(loud), rest(quiet)) for loud, quiet in pieces])
    cuts = cuts_of(audio, gap)
    removed = sum(stop - start for start, stop in cuts)
    assert len(apply_cuts(audio, cuts)) == len(audio) - removed
    # what was taken out was silent, but for the block at either edge
    edge = block_size(RATE)
    assert all(np.abs(audio[a + edge : b - edge]).max(initial=0) < 0.01 for a, b in cuts)


def test_noise_before_and_after_the_music_is_trimmed() -> None:
    body = music(4)
    audio = np.concatenate([rest(1.5), body, rest(0.8)]) + hiss(6.3, 0.001)
    start, end = span_of(audio)
    assert 1.5 - 0.06 <= start / RATE <= 1.5
    assert 5.5 - 0.5 <= end / RATE <= 5.5 + 0.06  # the last chord ends below the noise
    assert end > start


def test_digital_silence_before_the_music_is_trimmed() -> None:
    audio = np.concatenate([rest(1), music(4)])
    start, end = span_of(audio)
    assert 1 - 0.06 <= start / RATE <= 1
    assert end == len(audio)


@pytest.mark.parametrize(
    "audio",
    [
        music(4),
        music(4) + hiss(4, 0.001),
        hiss(3, 0.1),
        sine(3),
        np.concatenate([sine(2, 0.01, 220) + sine(2, 0.005, 330), music(4)]),
        (sine(4) * np.linspace(0, 1, 4 * RATE) ** 2).astype(np.float32),
        np.concatenate([hiss(1, 0.05), music(4)]),
    ],
    ids=["music", "noisy", "noise only", "tone", "quiet intro", "fade-in", "loud noise"],
)
def test_music_without_a_lead_in_of_noise_loses_nothing(audio: Mono) -> None:
    assert span_of(audio) == (0, len(audio))


def test_flatness_tells_noise_from_tones() -> None:
    white = hiss(1, 0.01)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.arange(1, len(white) // 2 + 2)))
    assert spectral_flatness(white, RATE) > 0.8
    assert spectral_flatness(pink.astype(np.float32), RATE) > 0.4
    assert spectral_flatness(music(2), RATE) < 0.1


def test_a_sine_has_the_loudness_that_the_standard_says() -> None:
    # BS.1770-4: a sine of 997 Hz at full scale in one channel has -3.01 LUFS
    assert integrated_loudness(sine(5, 1.0, 997), RATE) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_loudness_agrees_with_another_implementation(rate: int) -> None:
    time = np.arange(12 * rate) / rate
    noise = np.random.default_rng(0).normal(0, 0.1, len(time))
    beat = np.exp(-8 * (time % 0.5))
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (55, 220, 880, 2500))
    # of the last, 4 s lie below the relative gate, and 4 s below the absolute one
    for signal in (
        noise,
        beat * chord / 4,
        noise * np.select([time < 4, time < 8], [1, 0.1], 1e-3),
    ):
        audio = signal.astype(np.float32)
        expected = pyloudnorm.Meter(rate).integrated_loudness(audio.astype(float))
        assert integrated_loudness(audio, rate) == pytest.approx(expected, abs=0.01)


def test_the_loudness_after_a_gain_is_that_of_the_rounded_samples() -> None:
    # the quiet half is below the absolute gate before the gain, and above it after
    audio = np.concatenate([music(2), hiss(2, 2e-4, 1)]) * np.float32(0.1)
    for gain in (0.05, 1.0, 8.0):
        meter = LoudnessMeter(RATE)
        meter.add(audio)
        samples = to_int16(audio * np.float32(gain)) / 32767
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = pyloudnorm.Meter(RATE).integrated_loudness(samples)
        assert meter.loudness(gain) == pytest.approx(expected, abs=0.05)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 9000), max_size=8))
def test_meters_and_cuts_give_the_same_in_any_blocks(lengths: list[int]) -> None:
    audio = np.concatenate([music(1), rest(0.5), music(0.6, 1), rest(0.3)])
    levels, loudness, peak = LevelMeter(RATE), LoudnessMeter(RATE), TruePeakMeter(RATE)
    for block in pieces_of(audio, lengths):
        for meter in (levels, loudness, peak):
            meter.add(block)
    np.testing.assert_array_equal(levels.levels(), levels_of(audio))
    assert loudness.loudness() == integrated_loudness(audio, RATE)
    assert peak.finish() == true_peak(audio, RATE)
    size = 200 + sum(lengths)
    cuts = cuts_of(audio, 0.1)
    np.testing.assert_array_equal(apply_cuts(audio, cuts, size), apply_cuts(audio, cuts))


def test_less_than_a_gating_block_has_no_loudness() -> None:
    with pytest.raises(ValueError, match="needs"):
        integrated_loudness(sine(0.39), RATE)


def test_silence_has_no_loudness() -> None:
    assert integrated_loudness(rest(2), RATE) == -np.inf


def test_the_true_peak_lies_between_the_samples() -> None:
    # a quarter of the sample rate, sampled 45 degrees off its crests
    wave = np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4).astype(np.float32)
    wave *= np.hanning(RATE).astype(np.float32)
    assert np.abs(wave).max() == pytest.approx(0.707, abs=0.001)
    assert true_peak(wave, RATE) == pytest.approx(1.0, abs=0.01)


def test_the_gain_reaches_the_loudness_unless_the_peak_forbids() -> None:
    assert normalising_gain(-30, 0.1, -18, -1) == pytest.approx(10 ** (12 / 20))
    limited = normalising_gain(-30, 0.5, -18, -1)
    assert 20 * np.log10(0.5 * limited) == pytest.approx(-1)


@settings(deadline=None)
@given(st.lists(st.integers(-32767, 32767), min_size=1, max_size=50))
def test_sixteen_bits_survive_the_way_to_float_and_back(values: list[int]) -> None:
    samples = np.array(values, np.int16)
    np.testing.assert_array_equal(to_int16(from_int16(samples)), samples)


def test_samples_beyond_full_scale_are_clipped_not_wrapped() -> None:
    assert to_int16(np.array([-2, -1, 1, 2], np.float32)).tolist() == [-32767, -32767, 32767, 32767]
