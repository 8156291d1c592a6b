"""Features worked off in pieces have, bit for bit, the values of the whole track's."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.audio.features import Pooling, mfcc, pooled
from melodygan.audio.mel import MelConfig, log_mel, log_mel_part

Float = NDArray[np.float32]

CONFIG = MelConfig(22050, 64, 16, 64, 12, 0.0, 11025.0)
ODD_HOP = MelConfig(22050, 60, 26, 50, 7, 0.0, 11025.0)
NO_OVERLAP = MelConfig(22050, 64, 64, 64, 12, 0.0, 11025.0)


def noise(rows: int, width: int, seed: int) -> Float:
    """Values with a mean far from zero, as a log-mel's, that differ in size from row to row."""
    rng = np.random.default_rng(seed)
    return (rng.normal(-8, 3, (rows, width)) * rng.lognormal(0, 1, (rows, 1))).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([CONFIG, ODD_HOP, NO_OVERLAP]),
    st.integers(64, 8000),
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
    st.integers(0, 2**32),
)
@example(CONFIG, 5000, [1, 1, 1], 0)  # the reflected start lies in several pieces
def test_log_mel_in_pieces_is_log_mel(
    config: MelConfig, samples: int, sizes: list[int], seed: int
) -> None:
    audio = np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)
    whole = log_mel(audio, config)
    parts, first = np.full_like(whole, np.nan), 0
    for i in range(len(whole)):
        part = parts[first : first + sizes[i % len(sizes)]]
        log_mel_part(lambda a, b: audio[a:b].copy(), samples, config, first, part)
        first += len(part)
        if first == len(whole):
            break
    assert parts.tobytes() == whole.tobytes()


def test_no_more_samples_are_read_than_a_piece_needs() -> None:
    audio = np.ones(16 * 1000, np.float32)
    asked = []

    def read(start: int, stop: int) -> Float:
        asked.append((start, stop))
        return audio[start:stop]

    log_mel_part(read, len(audio), CONFIG, 500, np.empty((10, 12), np.float32))
    assert asked == [(500 * 16 - 24, 510 * 16 + 24)]


def test_less_than_a_hop_has_no_frame() -> None:
    with pytest.raises(ValueError, match="15 samples are less than one hop of 16"):
        log_mel(np.zeros(15, np.float32), CONFIG)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 300), st.integers(0, 20), st.sampled_from([1, 2, 20, 40]), st.integers(0, 9))
def test_mfcc_of_a_track_cut_at_sixteens_is_mfcc(
    frames: int, groups: int, count: int, seed: int
) -> None:
    cut = 16 * groups
    mel = noise(cut + frames, 40, seed)
    parts = mfcc(mel[:cut], count).tobytes() + mfcc(mel[cut:], count).tobytes()
    assert parts == mfcc(mel, count).tobytes()


def test_more_mfcc_than_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="13 MFCC of 12 mel bands"):
        mfcc(noise(5, 12, 0), 13)


def reference(values: Float, length: int, hop: int) -> NDArray[np.float64]:
    """Mean, then standard deviation of each window, in double precision."""
    length = min(length, len(values))
    windows = [values[i : i + length] for i in range(0, len(values) - length + 1, hop)]
    double = np.asarray(windows, np.float64)
    return np.concatenate([double.mean(axis=1), double.std(axis=1)], axis=1)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 400),
    st.integers(1, 120),
    st.integers(1, 120),
    st.lists(st.integers(1, 150), min_size=1, max_size=10),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.integers(0, 2**32),
)
@example(400, 64, 32, [100], (6, 3), 0)  # windows that share their halves
@example(400, 10, 70, [7], (6, 3), 0)  # gaps between the windows, longer than a piece
@example(400, 64, 1, [400], (1, 1), 0)
def test_pooled_in_pieces_is_pooled_and_right(
    frames: int, length: int, hop: int, sizes: list[int], widths: tuple[int, int], seed: int
) -> None:
    mel, cepstra = noise(frames, widths[0], seed), noise(frames, widths[1], seed + 1)
    whole = pooled(mel, cepstra, length, hop)
    expected = np.concatenate([reference(v, length, hop) for v in (mel, cepstra)], axis=1)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())
    pooling, parts, first = Pooling(frames, length, hop), [], 0
    for i in range(frames):
        span = slice(first, first + sizes[i % len(sizes)])
        parts.append(pooling.add(mel[span], cepstra[span]))
        first = span.stop
        if first >= frames:
            break
    assert sum(map(len, parts)) == pooling.windows == len(whole)
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_a_small_deviation_beside_a_large_mean_is_kept() -> None:
    rng = np.random.default_rng(0)
    mel = (1000 + rng.normal(0, 0.01, (256, 4))).astype(np.float32)
    vectors = pooled(mel, mel, 256, 128)
    np.testing.assert_allclose(vectors[0, 4:8], mel.astype(np.float64).std(axis=0), rtol=1e-2)
