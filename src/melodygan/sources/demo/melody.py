"""What the singer sings: phrases of two bars, built from motifs that come back."""

import numpy as np
from numpy.random import Generator

from melodygan.sources.demo.score import Chord, Note, chord_at, nearest

MAJOR = (0, 2, 4, 5, 7, 9, 11)
Cell = tuple[tuple[float, float], ...]  # (start, length) in beats within one bar


def sung_melody(
    rng: Generator,
    chords: list[Chord],
    tonic: int,
    centre: int,
    cells: tuple[list[Cell], list[Cell]],
    intro: int,
) -> list[Note]:
    """Phrases over `chords`; `cells` are rhythms of a phrase's first and second bar.

    Two motifs alternate as A A B A; the second bar's rhythm leaves room to breathe. The last
    note is the tonic over the last chord, held for three beats.
    """
    end = int(chords[-1].start)
    motifs = [_motif(rng, cells) for _ in range(2)]
    notes: list[Note] = []
    for number, bar in enumerate(range(intro, end, 8)):
        rhythm, contour = motifs[number % 4 == 2]
        anchor = nearest(chord_at(chords, bar).classes, centre + int(rng.integers(-3, 4)))
        notes += _phrase(rng, rhythm, contour, anchor, bar, end, chords, tonic, centre)
    last = nearest((tonic % 12,), notes[-1].pitch if notes else centre)
    return [*notes, Note(end, 3, last, 0.9)]


def _motif(
    rng: Generator, cells: tuple[list[Cell], list[Cell]]
) -> tuple[list[tuple[float, float]], list[int]]:
    first, second = (bar[rng.integers(len(bar))] for bar in cells)
    rhythm = [*first, *((start + 4, length) for start, length in second)]
    contour = [int(step) for step in rng.choice([-2, -1, -1, 0, 1, 1, 2, 3], len(rhythm))]
    return rhythm, contour


def _phrase(
    rng: Generator,
    rhythm: list[tuple[float, float]],
    contour: list[int],
    anchor: int,
    bar: int,
    end: int,
    chords: list[Chord],
    tonic: int,
    centre: int,
) -> list[Note]:
    scale = tuple((tonic + step) % 12 for step in MAJOR)
    pitch, notes = anchor, []
    for (start, length), step in zip(rhythm, contour, strict=True):
        beat = bar + start
        if beat + length > end - 0.5:
            break  # the last note needs its breath
        if abs(pitch + 2 * step - centre) > 8:
            step = -step
        wanted = pitch + 1.7 * step
        strong = start % 1 == 0 or length >= 1
        pitch = nearest(chord_at(chords, beat).classes if strong else scale, wanted)
        velocity = float(np.clip(rng.normal(0.8 + 0.08 * (start % 2 == 0), 0.06), 0.5, 1))
        notes.append(Note(beat, length * 0.96, pitch, velocity))
    return notes
