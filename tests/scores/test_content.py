"""Content scores are 1 for the song itself, about 0 by chance, and agree with librosa's."""

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE, MelConfig, log_mel
from melodygan.scores.content import Content, onset_envelope
from melodygan.scores.embedding import DYNAMIC_RANGE

Float = NDArray[np.float32]

AUDIO = MelConfig(22050, 1024, 256, 1024, 128, 0.0, 11025.0)
RATE = AUDIO.sample_rate
KEYS = ("chroma", "onset_correlation", "tempo_agreement")


def song(seed: int, bpm: float = 120.0, shift: int = 0, bright: float = 1.0) -> Float:
    """Eight seconds of a struck random melody, `shift` semitones up; (samples,)."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    beat = round(RATE * 60 / bpm)
    time = np.arange(beat) / RATE
    notes = []
    for step in rng.integers(0, 12, 8 * RATE // beat):
        hz = 440 * 2 ** ((step + shift) / 12)
        tones = sum(np.sin(2 * np.pi * hz * k * time) / k**bright for k in range(1, 5))
        notes.append(tones * np.exp(-6 * time))
    sound = np.concatenate(notes)
    return (0.1 * sound + 1e-3 * rng.standard_normal(len(sound))).astype(np.float32)


def content(sound: Float) -> Content:
    return Content.of(log_mel(sound, AUDIO), AUDIO)


def test_the_song_itself_is_one_and_another_timbre_keeps_it() -> None:
    original = content(song(0))
    assert original.likeness(original) == pytest.approx(dict.fromkeys(KEYS, 1.0))
    duller = original.likeness(content(np.tanh(10 * song(0, bright=2))))
    assert duller["chroma"] > 0.8
    assert duller["onset_correlation"] > 0.8
    assert duller["tempo_agreement"] == 1


def test_another_song_and_shuffled_frames_are_at_chance() -> None:
    mel = log_mel(song(0), AUDIO)
    original = Content.of(mel, AUDIO)
    shuffled = Content.of(np.random.default_rng(1).permutation(mel), AUDIO)
    for other in (shuffled, content(song(1, bpm=97))):
        likeness = original.likeness(other)
        assert abs(likeness["chroma"]) < 0.15
        assert abs(likeness["onset_correlation"]) < 0.15
        assert likeness["tempo_agreement"] == 0


def test_constants_keep_nothing() -> None:
    """A flat chroma and the song's mean spectrum won against every conversion once."""
    mel = log_mel(song(0), AUDIO)
    original = Content.of(mel, AUDIO)
    flat, mean = np.full_like(mel, -3.0), np.broadcast_to(mel.mean(0), mel.shape)
    for other in (flat, mean, np.full_like(mel, LOG_SILENCE)):
        likeness = original.likeness(Content.of(other, AUDIO))
        assert likeness == pytest.approx(dict.fromkeys(KEYS, 0.0), abs=1e-6)


def test_each_score_falls_when_its_own_content_is_lost() -> None:
    original = content(song(0))
    transposed = original.likeness(content(song(0, shift=6)))
    assert transposed["chroma"] < 0.1
    assert transposed["onset_correlation"] > 0.8
    faster = original.likeness(content(song(0, bpm=150)))
    assert faster["onset_correlation"] < 0.2
    assert faster["tempo_agreement"] == 0


def test_the_shorter_of_two_tracks_is_compared() -> None:
    mel = log_mel(song(0), AUDIO)
    half = Content.of(mel[:300], AUDIO)
    assert Content.of(mel, AUDIO).likeness(half) == pytest.approx(dict.fromkeys(KEYS, 1.0))


def test_onsets_are_librosas_onset_strength() -> None:
    mel = log_mel(song(0), AUDIO)
    heard = np.maximum(mel, mel.max() - DYNAMIC_RANGE)
    strength = librosa.onset.onset_strength(S=heard.T, sr=RATE, hop_length=256, center=False)
    assert np.allclose(onset_envelope(mel), strength[1:], atol=1e-4)


@pytest.mark.parametrize("bpm", [80.0, 97.0, 120.0, 140.0])
def test_tempo_is_librosas(bpm: float) -> None:
    mine = content(song(3, bpm=bpm))
    onsets = mine.onsets.astype(np.float32)
    theirs = librosa.feature.tempo(onset_envelope=onsets, sr=RATE, hop_length=256)[0]
    assert mine.tempo() == pytest.approx(float(theirs), rel=0.03)
    assert mine.tempo() == pytest.approx(bpm, rel=0.03)


def test_chroma_orders_answers_as_librosas_does() -> None:
    original = song(0)
    rng = np.random.default_rng(0)
    answers = [np.tanh(10 * song(0, bright=2)), song(0, shift=6), song(1)]
    answers += [original + a * rng.standard_normal(len(original)) for a in (0.05, 0.2, 0.8)]
    answers = [answer.astype(np.float32) for answer in answers]
    ours = [content(original).likeness(content(answer))["chroma"] for answer in answers]
    theirs = [_librosa_chroma(original, answer) for answer in answers]
    assert np.corrcoef(np.argsort(np.argsort(ours)), np.argsort(np.argsort(theirs)))[0, 1] > 0.8
    assert np.abs(np.array(ours) - theirs).max() < 0.25


def _librosa_chroma(a: Float, b: Float) -> float:
    x, y = (
        librosa.feature.chroma_stft(
            y=sound, sr=RATE, n_fft=1024, hop_length=256, tuning=0.0, norm=2
        )
        for sound in (a, b)
    )
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    return float((x * y).sum() / np.linalg.norm(x) / np.linalg.norm(y))
