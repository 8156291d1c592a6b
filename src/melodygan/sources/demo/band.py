"""Tracks of the demo band: composed, played and sung from a label, a number and a seed."""

from dataclasses import dataclass

import numpy as np

from melodygan.sources.demo import pop, swing
from melodygan.sources.demo.instruments import RATE
from melodygan.sources.demo.mixing import Room, mix_band, place_voice
from melodygan.sources.demo.score import Wave
from melodygan.sources.demo.voice import audition, sing

LABELS = ("swing", "pop")
STYLES = {"swing": swing.compose, "pop": pop.compose}
PEAK = 0.9  # of the mix
GRID = 2.0**15  # samples are multiples of 1/GRID: stems add up exactly, also in 16 bit
FADE_IN = 256  # samples
SHORTEST = 1.0  # s


@dataclass(frozen=True)
class DemoTrack:
    """One rendered track; arrays are float32 of shape (samples, 2) in [-1, 1]."""

    name: str
    label: str
    title: str
    mix: Wave
    vocals: Wave
    sample_rate: int  # Hz

    @property
    def accompaniment(self) -> Wave:
        """The band alone: exactly mix - vocals, shape (samples, 2)."""
        return self.mix - self.vocals


def track_name(label: str, ordinal: int) -> str:
    """Stable id of a demo track, such as demo-swing-000."""
    return f"demo-{label}-{ordinal:03d}"


def demo_plan(tracks: int) -> list[tuple[str, str, int]]:
    """(name, label, ordinal) of the first `tracks` tracks, labels taking turns."""
    turns = [(LABELS[i % len(LABELS)], i // len(LABELS)) for i in range(tracks)]
    return [(track_name(label, ordinal), label, ordinal) for label, ordinal in turns]


def render_track(label: str, ordinal: int, seconds: float, seed: int = 0) -> DemoTrack:
    """Compose and play one track of exactly round(seconds * 44100) samples.

    The result depends on the arguments alone. Raises ValueError for less than one second or
    an unknown label.
    """
    if label not in LABELS:
        raise ValueError(f"the demo band plays {', '.join(LABELS)}, not {label!r}")
    if seconds < SHORTEST:
        raise ValueError(f"a tune takes at least {SHORTEST:g} s, not {seconds:g} s")
    samples = round(seconds * RATE)
    composing, casting, singing, mixing = np.random.default_rng(
        [seed, LABELS.index(label), ordinal]
    ).spawn(4)
    singer = audition(casting)
    song = STYLES[label](composing, seconds, singer.centre)
    room = Room(mixing)
    band = mix_band(song.layers, song.grid, room, samples)
    voice = sing(singing, singer, song.melody, song.grid, samples)
    vocals = place_voice(mixing, voice, room)
    vocals *= _voice_gain(vocals, band, voice, mixing.uniform(-2, 3))
    vocals, band = _master(vocals, band, seconds)
    name = track_name(label, ordinal)
    return DemoTrack(name, label, song.title, vocals + band, vocals, RATE)


def _voice_gain(vocals: Wave, band: Wave, voice: Wave, level: float) -> np.float32:
    """Gain that puts the vocals `level` dB above the band, by RMS where the singer sings."""
    singing = np.abs(voice) > 0.1 * np.sqrt(np.mean(voice**2))
    ratio = np.mean(band[:, singing] ** 2) / np.mean(vocals[:, singing] ** 2)
    return np.float32(10 ** (level / 20) * np.sqrt(ratio))


def _master(vocals: Wave, band: Wave, seconds: float) -> tuple[Wave, Wave]:
    """Fade both in and out, scale their sum to PEAK, round to 1/GRID, shape (samples, 2)."""
    fade = np.ones(vocals.shape[1], np.float32)
    length = round(min(1.2, seconds / 8) * RATE)
    fade[-length:] = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, length))
    fade[:FADE_IN] = np.linspace(0, 1, FADE_IN)
    gain = fade * np.float32(PEAK / np.max(np.abs(vocals + band) * fade))
    stems = (np.round(stem * gain * np.float32(GRID)) / np.float32(GRID) for stem in (vocals, band))
    vocals, band = (np.ascontiguousarray(stem.T) for stem in stems)
    return vocals, band
