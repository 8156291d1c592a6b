"""The style `swing`: seventh chords, walking bass, ride or brushes, keys or vibes, a crooner."""

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

PROGRESSIONS: list[list[tuple[int, str, int]]] = [
    [(2, "m7", 4), (7, "7", 4), (0, "maj7", 4), (9, "7", 4)],
    [(0, "6", 2), (9, "m7", 2), (2, "m7", 2), (7, "7", 2)],
    [
        *[(2, "m7", 4), (7, "7", 4), (0, "maj7", 4), (5, "maj7", 4)],
        *[(11, "m7b5", 4), (4, "7", 4), (9, "m6", 4), (9, "7", 4)],
    ],
    [(0, "maj7", 4), (9, "7", 4), (2, "m7", 4), (7, "7", 4)],
    [(0, "7", 4), (5, "7", 4), (0, "7", 4), (9, "7", 4), (2, "m7", 4), (7, "7", 4)],
    [(4, "m7", 2), (9, "7", 2), (2, "m7", 2), (7, "7", 2), (0, "maj7", 4), (9, "m7", 4)],
]
CELLS: tuple[list[Cell], list[Cell]] = (
    [
        ((0, 1), (1, 0.5), (1.5, 1), (2.5, 0.5), (3, 1)),
        ((0.5, 0.5), (1, 0.5), (1.5, 1.5), (3, 0.5), (3.5, 0.5)),
        ((1, 0.5), (1.5, 0.5), (2, 0.5), (2.5, 1.5)),
        ((0, 1.5), (1.5, 0.5), (2, 1.5), (3.5, 0.5)),
    ],
    [
        ((0, 2),),
        ((0, 0.5), (0.5, 2)),
        ((0, 1), (1, 0.5), (1.5, 1)),
        ((0, 0.5), (0.5, 0.5), (1, 1.5)),
    ],
)
COMPING = [[0, 1.5], [0.5, 2.5], [1.5, 3], [0, 2.5], [1, 3], [0.5, 1.5, 3.5]]
PAINT = ["Blue", "Amber", "Late", "Quiet", "Velvet", "Silver", "Paper", "Rainy"]
THINGS = ["Lantern", "Avenue", "Umbrella", "Trolley", "Balcony", "Carousel", "Moon", "Hat"]
FORMS = ["Walk", "Stomp", "Serenade", "Blues", "Shuffle", "Stroll"]


def compose(rng: Generator, seconds: float, centre: int) -> Song:
    """A tune of about `seconds` for a singer whose range is centred on MIDI pitch `centre`."""
    tempo, end = fit(rng, seconds, 100, 160)
    grid = Grid(tempo, rng.uniform(0.6, 0.68))
    tonic = int(rng.integers(12))
    chords = lay_out(tonic, PROGRESSIONS[rng.integers(len(PROGRESSIONS))], end, "6")
    intro = 4 if end > 16 and rng.random() < 0.6 else 0
    melody = sung_melody(rng, chords, tonic, centre, CELLS, intro)
    title = " ".join(str(rng.choice(words)) for words in (PAINT, THINGS, FORMS))
    return Song(title, grid, chords, melody, arrange(rng, chords, melody, end), end)


def arrange(rng: Generator, chords: list[Chord], melody: list[Note], end: int) -> list[Layer]:
    """What the band plays under, and between the phrases of, a sung melody."""
    layers = [_bass(rng, chords, end), *_chords(rng, chords, end)]
    if rng.random() < 0.6:
        layers.append(_fills(rng, chords, melody, end))
    return [*layers, *_drums(rng, end)]


def _bass(rng: Generator, chords: list[Chord], end: int) -> Layer:
    """Root on each chord change, chord tones between, a semitone step into the next root."""
    two_feel = rng.random() < 0.25
    notes, pitch = [], 38.0
    for beat in range(0, end, 2 if two_feel else 1):
        chord, coming = chord_at(chords, beat), chord_at(chords, beat + 1)
        if beat == chord.start:
            pitch = nearest((chord.root,), 0.5 * pitch + 0.5 * 39)
        elif coming is not chord and not two_feel:
            pitch = nearest((coming.root,), pitch) + rng.choice([-1, 1])
        else:
            pitch = nearest(chord.classes, pitch + rng.choice([-4, 3, 5]))
        pitch = pitch + 12 * (pitch < 29) - 12 * (pitch > 51)
        length = 1.8 if two_feel else 0.95
        notes.append(Note(beat, length, pitch, human(rng, 0.08, 0.9)))
    notes.append(Note(end, 4, nearest((chords[-1].root,), 36), 0.9))
    return Layer(instruments.upright_bass(rng), notes, 0, 0.05, 0, 0.06)


def _chords(rng: Generator, chords: list[Chord], end: int) -> list[Layer]:
    """Syncopated keys or four-to-the-bar guitar, sometimes both."""
    voiced = voicings(chords, rng.uniform(58, 64), 4)
    kind = rng.choice(["keys", "vibes", "guitar", "both", "organ"], p=[0.3, 0.2, 0.2, 0.2, 0.1])
    layers = []
    if kind != "guitar":
        make = {"vibes": instruments.vibraphone, "organ": instruments.organ}
        play = make.get(str(kind), instruments.electric_piano)(rng)
        notes = _comping(rng, chords, voiced, end)
        layers.append(Layer(play, notes, -3, rng.uniform(-0.4, -0.1), 0.25, 0.2))
    if kind in ("guitar", "both"):
        notes = [
            Note(beat, 0.45, pitch, human(rng, 0.08, 0.9 if beat % 2 else 0.7))
            for beat in range(end)
            for pitch in voiced[chords.index(chord_at(chords, beat))]
        ]
        notes += [Note(end, 3, pitch, 0.8) for pitch in voiced[-1]]
        level = -3 if kind == "guitar" else -7
        layers.append(Layer(instruments.guitar(rng), notes, level, 0.35, 0.05, 0.12))
    return layers


def _comping(rng: Generator, chords: list[Chord], voiced: list[list[int]], end: int) -> list[Note]:
    favourites = [COMPING[i] for i in rng.choice(len(COMPING), 3, replace=False)]
    notes = []
    for bar in range(0, end, 4):
        for offset in favourites[rng.integers(3)]:
            chord = chords.index(chord_at(chords, bar + offset))
            length, velocity = float(rng.choice([0.4, 0.9, 1.4])), human(rng, 0.08, 0.8)
            notes += [Note(bar + offset, length, pitch, velocity) for pitch in voiced[chord]]
    return notes + [Note(end, 5, pitch, 0.85) for pitch in voiced[-1]]


def _fills(rng: Generator, chords: list[Chord], melody: list[Note], end: int) -> Layer:
    """Vibes or guitar answer while the singer rests."""
    play = (instruments.vibraphone if rng.random() < 0.6 else instruments.guitar)(rng)
    busy = [(note.start - 0.1, note.start + note.length) for note in melody]
    notes, pitch = [], rng.uniform(70, 78)
    for half in range(2 * end):
        beat = half / 2
        free = not any(first <= beat < last for first, last in busy)
        if free and rng.random() < 0.65:
            pitch = nearest(chord_at(chords, beat).classes, pitch + rng.choice([-3, -2, 2, 3]))
            pitch = pitch - 12 * (pitch > 84) + 12 * (pitch < 65)
            notes.append(Note(beat, 0.5, pitch, human(rng, 0.08, 0.7)))
    notes.append(Note(end, 4, nearest(chords[-1].classes, pitch), 0.6))
    return Layer(play, notes, -8, 0.3, 0.1, 0.3)


def _drums(rng: Generator, end: int) -> list[Layer]:
    """Ride or brushes in the jazz pattern, hi-hat on two and four, a few snare comments."""
    brushes = rng.random() < 0.4
    accents, pattern = (1.0, 0.8), []
    for beat in range(end):
        pattern.append(Note(beat, 1, 0, human(rng, 0.08, accents[beat % 2])))
        if beat % 2 and rng.random() < 0.92:
            pattern.append(Note(beat + 0.5, 0.5, 0, human(rng, 0.08, 0.6)))
    pattern.append(Note(end, 4, 0, 0.9))
    feet = [Note(beat, 1, 0, human(rng, 0.08, 0.8)) for beat in range(1, end, 2)]
    comments = [
        Note(beat + 0.5, 0.5, 0, human(rng, 0.08, 0.5))
        for beat in range(end)
        if rng.random() < 0.15
    ]
    kicks = [Note(beat, 1, 0, human(rng, 0.08, 0.5)) for beat in range(0, end, 2)]
    layers = [
        Layer(drums.ride(rng), pattern, -15 if brushes else -12, 0.25, 0, 0.1),
        Layer(drums.hat(rng, 0.06), feet, -22, -0.3, 0, 0.1),
        Layer(drums.kick(rng), [*kicks, Note(end, 1, 0, 0.7)], -13, 0, 0, 0.05),
    ]
    if brushes:
        sweeps = [Note(b, 1, 0, human(rng, 0.08, (0.6, 1.0)[b % 2])) for b in range(end)]
        layers.append(Layer(drums.brush(rng), sweeps, -14, -0.1, 0.1, 0.15))
    if comments:
        layers.append(Layer(drums.snare(rng), comments, -20, -0.05, 0, 0.15))
    return layers
