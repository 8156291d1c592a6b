"""What is played: notes, chords, the beat grid, and the layers that a style hands to the mixer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Instrument = Callable[[float, float], Wave]  # (MIDI pitch, seconds held) -> mono samples

# Semitones above the chord's root.
QUALITIES = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "sus4": (0, 5, 7),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "7": (0, 4, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
}


@dataclass(frozen=True)
class Note:
    """start and length in beats, pitch as a MIDI number, velocity from 0 to 1."""

    start: float
    length: float
    pitch: float
    velocity: float


@dataclass(frozen=True)
class Chord:
    """A chord that holds for `length` beats from beat `start`; root is a pitch class 0-11."""

    start: float
    length: float
    root: int
    quality: str

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes, root first."""
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])


@dataclass(frozen=True)
class Grid:
    """Beats to seconds. `swing` is where in the beat the off-beat quaver falls (0.5: straight)."""

    tempo: float  # beats per minute
    swing: float

    def seconds(self, beat: float) -> float:
        """Time of a position counted in beats."""
        whole = np.floor(beat)
        part = beat - whole
        if part < 0.5:
            part = part * 2 * self.swing
        else:
            part = self.swing + (part - 0.5) * 2 * (1 - self.swing)
        return float((whole + part) * 60 / self.tempo)


@dataclass(frozen=True)
class Layer:
    """One instrument's part and its place in the mix.

    level: RMS in dB relative to the other layers. pan: -1 left to 1 right; successive notes
    alternate `spread` to either side of it. send: share that goes to the reverb.
    """

    play: Instrument
    notes: list[Note]
    level: float
    pan: float
    spread: float
    send: float


@dataclass(frozen=True)
class Song:
    """A composition: melody is sung, layers are played; the last chord starts at beat `end`."""

    title: str
    grid: Grid
    chords: list[Chord]
    melody: list[Note]
    layers: list[Layer]
    end: float


def fit(rng: Generator, seconds: float, slowest: float, fastest: float) -> tuple[float, int]:
    """Tempo (per minute) and beats (whole bars of four) before the last chord.

    The tempo is bent within its limits so that the last chord has about two seconds to ring.
    """
    playing = seconds - min(rng.uniform(1.7, 2.8), 0.3 * seconds)
    bars = max(1, round(playing * rng.uniform(slowest, fastest) / 240))
    return float(np.clip(bars * 240 / playing, slowest, fastest)), 4 * bars


def human(rng: Generator, spread: float, velocity: float) -> float:
    """`velocity` as a player hits it: off by a share of standard deviation `spread`."""
    return float(np.clip(velocity * rng.normal(1, spread), 0.05, 1))


def lay_out(
    tonic: int, progression: list[tuple[int, str, int]], beats: int, last: str
) -> list[Chord]:
    """Repeat (semitones above the tonic, quality, beats) up to `beats`, then the tonic chord."""
    chords: list[Chord] = []
    start, index = 0, 0
    while start < beats:
        step, quality, length = progression[index % len(progression)]
        length = min(length, beats - start)
        chords.append(Chord(start, length, (tonic + step) % 12, quality))
        start += length
        index += 1
    return [*chords, Chord(beats, 8, tonic, last)]


def chord_at(chords: list[Chord], beat: float) -> Chord:
    """The chord that sounds at `beat`."""
    return next(chord for chord in reversed(chords) if chord.start <= beat + 1e-6)


def nearest(classes: tuple[int, ...], pitch: float) -> int:
    """The MIDI pitch closest to `pitch` whose class is one of `classes`."""
    candidates = [c + 12 * octave for octave in range(11) for c in classes]
    return min(candidates, key=lambda candidate: abs(candidate - pitch))


def voicings(chords: list[Chord], centre: float, size: int) -> list[list[int]]:
    """Close voicings of `size` notes near MIDI pitch `centre`, moving as little as possible.

    Chords with more notes than `size` lose the root, which the bass plays.
    """
    voiced: list[list[int]] = []
    middle = centre
    for chord in chords:
        classes = chord.classes[-size:] if len(chord.classes) > size else chord.classes
        options = []
        for turn in range(len(classes)):
            order = classes[turn:] + classes[:turn]
            lowest = nearest((order[0],), middle - 5)
            notes = [lowest + (c - order[0]) % 12 for c in order]
            options.append(notes)
        best = min(options, key=lambda notes: abs(sum(notes) / len(notes) - middle))
        voiced.append(best)
        middle = 0.5 * centre + 0.5 * sum(best) / len(best)
    return voiced
