"""The CPU's log-mel and MFCC are librosa's; framing and pooling keep their promises."""

import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.audio.features import mfcc, pooled
from melodygan.audio.mel import LOG_FLOOR, MelConfig, log_mel

# librosa leaves a placeholder for this library, which fails where the system lacks it; hypothesis
# looks at every loaded module and would stumble over it in any later test
sys.modules.pop("samplerate", None)

FULL_BAND = MelConfig(22050, 1024, 256, 1024, 128, 0.0, 11025.0)
HIFIGAN = MelConfig(22050, 1024, 256, 1024, 80, 0.0, 8000.0)
SHORT_WINDOW = MelConfig(16000, 512, 128, 400, 40, 50.0, 7600.0)


def sound(config: MelConfig, seconds: float = 8.0) -> NDArray[np.float32]:
    """A rising tone in noise, longer than one block of frames."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * config.sample_rate)) / config.sample_rate
    sweep = 0.5 * np.sin(2 * np.pi * (100 + 300 * time) * time)
    return (sweep + rng.normal(0, 0.01, len(time))).astype(np.float32)


def librosa_mel(audio: NDArray[np.float32], config: MelConfig) -> NDArray[np.float32]:
    padded = np.pad(audio, (config.n_fft - config.hop_length) // 2, mode="reflect")
    return librosa.feature.melspectrogram(
        y=padded,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        win_length=config.win_length,
        center=False,
        power=1,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        htk=False,
        norm="slaney",
    )


@pytest.mark.parametrize("config", [FULL_BAND, HIFIGAN, SHORT_WINDOW])
def test_mel_is_librosas_to_a_hundred_thousandth_of_the_peak(config: MelConfig) -> None:
    audio = sound(config)
    expected = librosa_mel(audio, config)
    ours = np.exp(log_mel(audio, config)).T
    assert ours.shape == expected.shape
    expected = np.maximum(expected, LOG_FLOOR)
    assert np.abs(ours - expected).max() < 1e-5 * expected.max()


@pytest.mark.parametrize("config", [FULL_BAND, HIFIGAN])
def test_mfcc_is_librosas_to_a_thousandth_of_the_peak(config: MelConfig) -> None:
    audio = sound(config)
    decibels = 20 * np.log10(np.maximum(librosa_mel(audio, config), LOG_FLOOR))
    expected = librosa.feature.mfcc(S=decibels, n_mfcc=20, dct_type=2, norm="ortho")
    ours = mfcc(log_mel(audio, config), 20).T
    assert ours.dtype == np.float32
    assert np.abs(ours - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("samples", [256, 511, 512, 1023, 1024, 5000, 256 * 513])
def test_samples_over_hop_gives_the_number_of_frames(samples: int) -> None:
    mel = log_mel(np.ones(samples, np.float32), FULL_BAND)
    assert mel.shape == (samples // 256, 128)


def test_the_number_of_threads_does_not_change_a_byte() -> None:
    program = (
        "import sys, numpy as np; from melodygan.audio.mel import MelConfig, log_mel;"
        "from melodygan.audio.features import mfcc, pooled;"
        "audio = np.random.default_rng(0).normal(0, 0.1, 100_000).astype(np.float32);"
        "mel = log_mel(audio, MelConfig(22050, 1024, 256, 1024, 128, 0.0, 11025.0));"
        "cepstra = mfcc(mel, 20); vectors = pooled(mel, cepstra, 256, 128);"
        "sys.stdout.buffer.write(mel.tobytes() + cepstra.tobytes() + vectors.tobytes())"
    )
    results = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count},
            capture_output=True,
            check=True,
        ).stdout
        for count in ("1", "2")
    ]
    assert len(results[0]) > 100_000
    assert results[0] == results[1]


def test_silence_is_the_floor() -> None:
    mel = log_mel(np.zeros(22050, np.float32), FULL_BAND)
    np.testing.assert_allclose(mel, np.log(1e-5), rtol=1e-6)


def test_blocks_leave_no_seam() -> None:
    audio = sound(FULL_BAND, 20.0)
    whole = log_mel(audio, FULL_BAND)
    shift = 300 * 256  # frames 300 ... lie elsewhere in their block
    part = log_mel(audio[shift:], FULL_BAND)
    np.testing.assert_allclose(part[2:], whole[302:], atol=1e-4)


def test_pooled_columns_are_mean_and_deviation_of_mel_then_mfcc() -> None:
    rng = np.random.default_rng(0)
    mel = rng.normal(-5, 2, (700, 128)).astype(np.float32)
    cepstra = rng.normal(10, 30, (700, 20)).astype(np.float32)
    vectors = pooled(mel, cepstra, frames=256, hop=128)
    assert vectors.shape == (4, 296)
    assert vectors.dtype == np.float32
    window = slice(2 * 128, 2 * 128 + 256)
    expected = [mel[window].mean(0), mel[window].std(0)]
    expected += [cepstra[window].mean(0), cepstra[window].std(0)]
    np.testing.assert_allclose(vectors[2], np.concatenate(expected), rtol=1e-4, atol=1e-4)


def test_a_track_shorter_than_a_window_is_pooled_as_a_whole() -> None:
    mel, cepstra = np.ones((10, 128), np.float32), np.ones((10, 20), np.float32)
    vectors = pooled(mel, cepstra, frames=256, hop=128)
    assert vectors.shape == (1, 296)
    np.testing.assert_allclose(vectors[0, :128], 1, rtol=1e-6)
    np.testing.assert_allclose(vectors[0, 128:256], 0, atol=1e-6)
