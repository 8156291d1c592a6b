"""The style `pop`: triads, four on the floor, synth bass, pads and arpeggios, a straight beat."""

import numpy as np
from numpy.random import Generator

from melodygan.sources.demo import drums, instruments
from melodygan.sources.demo.melody import Cell, sung_melody
from melodygan.sources.demo.score import (
    Chord,
    Grid,
    Layer,
    Note,
    Song,
    chord_at,
    fit,
    human,
    lay_out,
    nearest,
    voicings,
)

TRIADS = {  # semitones above the tonic, quality
    "I": (0, "major"),
    "ii": (2, "minor"),
    "iii": (4, "minor"),
    "IV": (5, "major"),
    "V": (7, "major"),
    "vi": (9, "minor"),
}
PROGRESSIONS = ["I V vi IV", "vi IV I V", "I vi IV V", "IV I V vi", "I iii IV V", "I IV vi V"]
PROGRESSIONS += ["ii IV I V"]
CELLS: tuple[list[Cell], list[Cell]] = (
    [
        ((0, 0.5), (0.5, 0.5), (1, 1), (2, 0.5), (2.5, 0.5), (3, 1)),
        ((0, 0.75), (0.75, 0.75), (1.5, 0.5), (2, 1), (3, 0.5), (3.5, 0.5)),
        ((0, 1), (1, 1), (2, 0.5), (2.5, 1), (3.5, 0.5)),
        ((0.5, 0.5), (1, 0.5), (1.5, 0.5), (2, 1.5), (3.5, 0.5)),
    ],
    [
        ((0, 2.5),),
        ((0, 1), (1, 1.5)),
        ((0, 0.5), (0.5, 0.5), (1, 2)),
        ((0, 0.75), (0.75, 0.75), (1.5, 1)),
    ],
)
# Positions in quavers within a bar.
BASS_LINES = [[0, 1, 2, 3, 4, 5, 6, 7], [0, 3, 4, 7], [1, 3, 5, 7], [0, 3, 6], [0, 2, 4, 6]]
ARPEGGIOS = [[0, 1, 2, 3], [0, 2, 1, 2], [3, 2, 1, 0], [0, 1, 2, 1, 3, 1, 2, 1], [0, 2, 3]]
PAINT = ["Neon", "Golden", "Summer", "Electric", "Crystal", "Midnight", "Plastic", "Endless"]
THINGS = ["Hearts", "Saturday", "Signal", "Skyline", "Dancers", "Mirrors", "Gravity", "Radio"]


def compose(rng: Generator, seconds: float, centre: int) -> Song:
    """A tune of about `seconds` for a singer whose range is centred on MIDI pitch `centre`."""
    tempo, end = fit(rng, seconds, 90, 128)
    grid = Grid(tempo, 0.5)
    tonic = int(rng.integers(12))
    names = PROGRESSIONS[rng.integers(len(PROGRESSIONS))].split()
    chords = lay_out(tonic, [(*TRIADS[name], 4) for name in names], end, "major")
    intro = 4 if end > 16 and rng.random() < 0.6 else 0
    melody = sung_melody(rng, chords, tonic, centre, CELLS, intro)
    title = " ".join(str(rng.choice(words)) for words in (PAINT, THINGS))
    return Song(title, grid, chords, melody, arrange(rng, chords, melody, end), end)


def arrange(rng: Generator, chords: list[Chord], melody: list[Note], end: int) -> list[Layer]:
    """What the band plays under a sung melody, of which this style takes no notice."""
    layers = [_bass(rng, chords, end), _pad(rng, chords), _arpeggio(rng, chords, end)]
    return [*layers, *_drums(rng, end)]


def _bass(rng: Generator, chords: list[Chord], end: int) -> Layer:
    """One rhythm on the root, with octave jumps in some songs."""
    line, jumps = BASS_LINES[rng.integers(len(BASS_LINES))], rng.random() < 0.35
    gaps = np.diff([*line, 8 + line[0]]) / 2
    notes = []
    for bar in range(0, end, 4):
        root = nearest((chord_at(chords, bar).root,), 35)
        for quaver, gap in zip(line, gaps, strict=True):
            pitch = root + 12 * (jumps and quaver % 2)
            notes.append(Note(bar + quaver / 2, 0.85 * gap, pitch, human(rng, 0.03, 0.9)))
    notes.append(Note(end, 4, nearest((chords[-1].root,), 35), 0.9))
    return Layer(instruments.saw_bass(rng), notes, 0, 0, 0, 0.03)


def _pad(rng: Generator, chords: list[Chord]) -> Layer:
    """Held chords on a pad, or pulsed ones on an organ or an electric piano."""
    voiced = voicings(chords, rng.uniform(58, 66), 3)
    kind = str(rng.choice(["pad", "organ", "keys"], p=[0.65, 0.15, 0.2]))
    make = {"pad": instruments.pad, "organ": instruments.organ}
    play = make.get(kind, instruments.electric_piano)(rng)
    pulse = 4 if kind == "pad" else float(rng.choice([1, 2]))
    notes = []
    for chord, pitches in zip(chords, voiced, strict=True):
        step = chord.length if chord is chords[-1] else min(pulse, chord.length)
        for beat in np.arange(chord.start, chord.start + chord.length, step):
            notes += [Note(float(beat), step * 0.97, pitch, 0.8) for pitch in pitches]
    return Layer(play, notes, -5, 0, 0.6, 0.25)


def _arpeggio(rng: Generator, chords: list[Chord], end: int) -> Layer:
    """Broken chords in quavers or semiquavers; in some songs only from the middle on."""
    play = (instruments.pluck if rng.random() < 0.75 else instruments.guitar)(rng)
    order, step = ARPEGGIOS[rng.integers(len(ARPEGGIOS))], float(rng.choice([0.25, 0.5, 0.5]))
    voiced = voicings(chords, rng.uniform(69, 76), 3)
    first = 8 * (end // 16) if rng.random() < 0.3 else 0
    notes = []
    for number, beat in enumerate(np.arange(first, end, step)):
        pitches = voiced[chords.index(chord_at(chords, float(beat)))]
        tones = [*pitches, pitches[0] + 12]
        velocity = human(rng, 0.03, 0.9 if beat % 1 == 0 else 0.65)
        notes.append(Note(float(beat), step * 0.9, tones[order[number % len(order)]], velocity))
    notes += [Note(end + 0.25 * k, 2, pitch, 0.7) for k, pitch in enumerate(voiced[-1])]
    return Layer(play, notes, -7, rng.uniform(-0.3, 0.3), 0.35, 0.3)


def _drums(rng: Generator, end: int) -> list[Layer]:
    """Kick on every beat, snare or clap on two and four, hats in quavers or semiquavers."""
    kicks = [Note(beat, 1, 0, human(rng, 0.03, 1.0)) for beat in range(end)]
    kicks += [Note(bar + 3.5, 1, 0, 0.7) for bar in range(0, end, 8) if rng.random() < 0.6]
    backbeat = [Note(beat, 1, 0, human(rng, 0.03, 1.0)) for beat in range(1, end, 2)]
    step = float(rng.choice([0.25, 0.5]))
    hats = [
        Note(float(beat), step, 0, human(rng, 0.03, 1.0 if beat % 1 == 0.5 else 0.6))
        for beat in np.arange(0, end, step)
    ]
    clapping = rng.random() < 0.4
    layers = [
        Layer(drums.kick(rng), [*kicks, Note(end, 1, 0, 1.0)], -2, 0, 0, 0.02),
        Layer((drums.clap if clapping else drums.snare)(rng), backbeat, -6, 0.05, 0, 0.2),
        Layer(drums.hat(rng, 0.07), hats, -15, 0.3, 0.1, 0.05),
    ]
    if rng.random() < 0.5:
        open_hats = [Note(beat + 0.5, 0.5, 0, human(rng, 0.03, 0.9)) for beat in range(end)]
        layers.append(Layer(drums.hat(rng, 0.3), open_hats, -17, -0.3, 0, 0.1))
    layers.append(
        Layer(drums.ride(rng), [Note(0, 4, 0, 0.8), Note(end, 4, 0, 0.9)], -26, -0.2, 0, 0.3)
    )
    return layers
