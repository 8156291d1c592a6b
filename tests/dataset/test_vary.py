"""Passages that are shifted, stretched and masked stay what they are but for that."""

import numpy as np
import pytest

from melodygan.audio.mel import LOG_SILENCE
from melodygan.dataset.vary import frames_needed, played, vary

FRAMES, BANDS = 64, 32


def passage(frames: int = FRAMES) -> np.ndarray:
    """A rising line: the loudest band of frame t is t / 8."""
    time, band = np.arange(frames)[:, None], np.arange(BANDS)[None, :]
    return (-np.abs(band - time / 8)).astype(np.float32)


def test_unchanged_and_undrawn_where_nothing_is_asked_for() -> None:
    clips, rng = passage()[None], np.random.default_rng(0)
    assert vary(clips, FRAMES, 0, 0.0, 0.0, rng) is clips
    assert rng.random() == np.random.default_rng(0).random()
    assert np.array_equal(played(clips[0], FRAMES, 1.0, 0), clips[0])


@pytest.mark.parametrize("shift", [-3, 0, 3])
@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_the_line_rises_as_fast_and_lies_as_high_as_asked_for(speed: float, shift: int) -> None:
    mel = played(passage(frames_needed(FRAMES, 0.25)), FRAMES, speed, shift)
    assert mel.shape == (FRAMES, BANDS) and mel.dtype == np.float32
    inner = slice(30, FRAMES)  # where no edge is near
    expected = np.arange(FRAMES) * speed / 8 + shift
    assert np.abs(mel.argmax(1) - expected)[inner].max() <= 1
    if shift < 0:
        assert (mel[:, shift:] == LOG_SILENCE).all()


def test_shifted_bands_and_frames_in_between_are_exact() -> None:
    mel = np.random.default_rng(0).standard_normal((FRAMES, BANDS)).astype(np.float32)
    up, down = (played(mel, FRAMES, 1.0, shift) for shift in (2, -2))
    assert np.array_equal(up[:, 2:], mel[:, :-2]) and np.array_equal(down[:, :-2], mel[:, 2:])
    assert np.array_equal(up[:, :2], mel[:, [0, 0]])
    half = played(mel, FRAMES, 0.5, 0)
    assert np.array_equal(half[::2], mel[: FRAMES // 2])
    assert np.allclose(half[1], (mel[0] + mel[1]) / 2, atol=1e-5)


def test_clips_differ_within_the_limits_and_masks_silence_two_stripes() -> None:
    clips = np.repeat(passage(frames_needed(FRAMES, 0.2))[None], 200, 0)
    rng = np.random.default_rng(1)
    moved = vary(clips, FRAMES, 2, 0.2, 0.0, rng)
    assert moved.shape == (200, FRAMES, BANDS)
    at_the_end = moved[:, -1].argmax(1)
    low, high = (FRAMES - 1) * np.array([0.8, 1.2]) / 8 + [-2, 2]
    assert low - 1 <= at_the_end.min() < low + 2 and high - 2 < at_the_end.max() <= high + 1

    masked = vary(np.ones((200, FRAMES, BANDS), np.float32), FRAMES, 0, 0.0, 0.25, rng)
    silent = masked == LOG_SILENCE
    frames, bands = silent.all(2).sum(1), silent.all(1).sum(1)
    assert frames.max() in (FRAMES // 4 - 1, FRAMES // 4) and frames.min() == 0
    assert bands.max() in (BANDS // 4 - 1, BANDS // 4)
    outside = silent & ~silent.all(2, keepdims=True) & ~silent.all(1, keepdims=True)
    assert not outside.any() and (masked[~silent] == 1).all()
