"""The singer: a glottal source through vowel formants that glide, with consonants and breath.

Source: the closed form of a harmonic series with exponential tilt (Moorer 1976), whose cut-off
follows the loudness. Filter: magnitude of parallel formants, applied frame by frame in the
short-time spectrum. Formants: the table of sung vowels of the Csound manual's appendix.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq
from scipy.ndimage import gaussian_filter1d

from melodygan.sources.demo.drums import coloured_noise
from melodygan.sources.demo.instruments import RATE, TURN
from melodygan.sources.demo.score import Grid, Note, Wave

HOP, WINDOW, FFT = 512, 1024, 2048  # samples
SPREAD = 0.012  # s, by which the highest frequency comes after the lowest
TOP = 12000.0  # Hz; nothing but consonants above

# voice: centre of its range (MIDI), then per vowel five formants in Hz, in dB, widths in Hz
Formants = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
VOICES: dict[str, tuple[int, dict[str, Formants]]] = {
    "soprano": (
        69,
        {
            "a": ((800, 1150, 2900, 3900, 4950), (0, -6, -32, -20, -50), (80, 90, 120, 130, 140)),
            "e": ((350, 2000, 2800, 3600, 4950), (0, -20, -15, -40, -56), (60, 100, 120, 150, 200)),
            "i": ((270, 2140, 2950, 3900, 4950), (0, -12, -26, -26, -44), (60, 90, 100, 120, 120)),
            "o": ((450, 800, 2830, 3800, 4950), (0, -11, -22, -22, -50), (70, 80, 100, 130, 135)),
            "u": ((325, 700, 2700, 3800, 4950), (0, -16, -35, -40, -60), (50, 60, 170, 180, 200)),
        },
    ),
    "alto": (
        63,
        {
            "a": ((800, 1150, 2800, 3500, 4950), (0, -4, -20, -36, -60), (80, 90, 120, 130, 140)),
            "e": ((400, 1600, 2700, 3300, 4950), (0, -24, -30, -35, -60), (60, 80, 120, 150, 200)),
            "i": ((350, 1700, 2700, 3700, 4950), (0, -20, -30, -36, -60), (50, 100, 120, 150, 200)),
            "o": ((450, 800, 2830, 3500, 4950), (0, -9, -16, -28, -55), (70, 80, 100, 130, 135)),
            "u": ((325, 700, 2530, 3500, 4950), (0, -12, -30, -40, -64), (50, 60, 170, 180, 200)),
        },
    ),
    "tenor": (
        57,
        {
            "a": ((650, 1080, 2650, 2900, 3250), (0, -6, -7, -8, -22), (80, 90, 120, 130, 140)),
            "e": ((400, 1700, 2600, 3200, 3580), (0, -14, -12, -14, -20), (70, 80, 100, 120, 120)),
            "i": ((290, 1870, 2800, 3250, 3540), (0, -15, -18, -20, -30), (40, 90, 100, 120, 120)),
            "o": ((400, 800, 2600, 2800, 3000), (0, -10, -12, -12, -26), (70, 80, 100, 130, 135)),
            "u": ((350, 600, 2700, 2900, 3300), (0, -20, -17, -14, -26), (40, 60, 100, 120, 120)),
        },
    ),
    "bass": (
        51,
        {
            "a": ((600, 1040, 2250, 2450, 2750), (0, -7, -9, -9, -20), (60, 70, 110, 120, 130)),
            "e": ((400, 1620, 2400, 2800, 3100), (0, -12, -9, -12, -18), (40, 80, 100, 120, 120)),
            "i": ((250, 1750, 2600, 3050, 3340), (0, -30, -16, -22, -28), (60, 90, 100, 120, 120)),
            "o": ((400, 750, 2400, 2600, 2900), (0, -11, -21, -20, -40), (40, 80, 100, 120, 120)),
            "u": ((350, 600, 2400, 2675, 2950), (0, -20, -32, -28, -36), (40, 80, 100, 120, 120)),
        },
    ),
}
HUM: Formants = ((250, 1100, 2200, 3000, 4000), (0, -28, -32, -40, -60), (90, 200, 250, 250, 300))

# consonant: band in Hz, length in s, loudness relative to the vowel
NOISES = {
    "s": (5000.0, 11000.0, 0.09, 0.30),
    "sh": (2200.0, 6500.0, 0.10, 0.30),
    "f": (1500.0, 9000.0, 0.07, 0.12),
    "h": (500.0, 3500.0, 0.08, 0.15),
    "t": (3000.0, 9000.0, 0.025, 0.40),
    "k": (1200.0, 4000.0, 0.03, 0.40),
    "p": (300.0, 2500.0, 0.02, 0.40),
}
ONSETS = [*NOISES, "m", ""]  # hummed and bare onsets have no noise
ONSET_ODDS = np.array([2, 1, 1, 2, 3, 2, 2, 4, 3]) / 20


@dataclass(frozen=True)
class Singer:
    """One voice. tilt: Hz over which harmonics fall by 1/e; vibrato depth in semitones."""

    kind: str
    size: float  # factor on all formants
    tilt: float
    breath: float
    rate: float  # Hz, of the vibrato
    depth: float
    vowels: tuple[str, ...]

    @property
    def centre(self) -> int:
        """Middle of the singer's range, MIDI pitch."""
        return VOICES[self.kind][0]


def audition(rng: Generator) -> Singer:
    """Draw a singer."""
    kind = str(rng.choice(list(VOICES)))
    vowels = tuple(str(v) for v in rng.choice(list("aeiou"), rng.integers(3, 6), replace=False))
    return Singer(
        kind,
        size=rng.uniform(0.93, 1.08),
        tilt=rng.uniform(2200, 5500),
        breath=rng.uniform(0.02, 0.09),
        rate=rng.uniform(4.7, 6.3),
        depth=rng.uniform(0.15, 0.5),
        vowels=vowels,
    )


def sing(rng: Generator, singer: Singer, melody: list[Note], grid: Grid, samples: int) -> Wave:
    """Sing `melody` (in time order, one note at a time); mono, shape (samples,)."""
    frames = samples // HOP + 2
    time = np.arange(frames) * HOP / RATE
    starts = np.array([grid.seconds(note.start) for note in melody])
    ends = np.array([grid.seconds(note.start + note.length) for note in melody])
    onsets = [str(o) for o in rng.choice(ONSETS, len(melody), p=ONSET_ODDS)]
    pitch = _pitch(rng, singer, melody, starts, ends, time)
    loudness = _loudness(rng, melody, starts, ends, time)
    spectrum = _formants(rng, singer, onsets, starts, time, pitch)
    source = _source(rng, singer, pitch, loudness, samples)
    voice = _filter(source, spectrum)
    voice /= np.float32(np.sqrt(np.mean(voice**2) / np.mean(loudness**2)))
    for start, note, onset in zip(starts, melody, onsets, strict=True):
        if onset in NOISES:
            _add_consonant(rng, voice, onset, start, note.velocity)
    for start in starts[np.concatenate([[True], starts[1:] - ends[:-1] > 0.3])]:
        _add_breath(rng, voice, start)
    return voice


def _pitch(
    rng: Generator,
    singer: Singer,
    melody: list[Note],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    time: NDArray[np.float64],
) -> NDArray[np.float64]:
    """MIDI pitch per frame: glides between notes, scoops into them, vibrato on held ones."""
    index = np.maximum(np.searchsorted(starts, time + 0.02, "right") - 1, 0)
    steps = gaussian_filter1d(np.array([n.pitch for n in melody])[index], 0.022 * RATE / HOP)
    since = np.maximum(time - starts[index], 0)
    scoop = rng.uniform(0, 0.9, len(melody))[index] * np.exp(-since / 0.05)
    held = np.clip((since - 0.18) / 0.3, 0, 1) * (ends - starts > 0.35)[index]
    vibrato = singer.depth * held * np.sin(2 * np.pi * singer.rate * since)
    drift = gaussian_filter1d(rng.standard_normal(time.size), 12) * 0.25
    return steps - scoop + vibrato + drift


def _loudness(
    rng: Generator,
    melody: list[Note],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    time: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Amplitude per frame, 0 in rests, with a swell on held notes."""
    loudness = np.zeros(time.size)
    for note, start, end in zip(melody, starts, ends, strict=True):
        attack = min(rng.uniform(0.03, 0.07), 0.4 * (end - start))
        release = min(0.1, 0.4 * (end - start))
        corners = [start, start + attack, end - release, end]
        level = note.velocity * rng.uniform(0.75, 1.0)
        loudness = np.maximum(loudness, np.interp(time, corners, [0, level, level * 0.85, 0]))
    return gaussian_filter1d(loudness, 0.8)


def _formants(
    rng: Generator,
    singer: Singer,
    onsets: list[str],
    starts: NDArray[np.float64],
    time: NDArray[np.float64],
    pitch: NDArray[np.float64],
) -> Wave:
    """Magnitude of the vocal tract, shape (frames, bins below TOP)."""
    vowels = VOICES[singer.kind][1]
    events: list[tuple[float, Formants]] = []
    for onset, start in zip(onsets, starts, strict=True):
        if onset == "m":
            events.append((start - 0.03, HUM))
        events.append((start + 0.04 * (onset == "m"), vowels[str(rng.choice(singer.vowels))]))
    times = np.array([moment for moment, _ in events])
    index = np.maximum(np.searchsorted(times, time, "right") - 1, 0)
    table = np.array([shape for _, shape in events], float)[index]  # (frames, 3, 5)
    table = gaussian_filter1d(table, 0.025 * RATE / HOP, axis=0)
    centres = table[:, 0] * singer.size
    # high singers open the mouth so that the first formant stays above the fundamental
    centres[:, 0] = np.maximum(centres[:, 0], 1.05 * 440 * 2 ** ((pitch - 69) / 12))
    gains, half_widths = 10 ** (table[:, 1] / 20), 0.65 * table[:, 2]
    bins = rfftfreq(FFT, 1 / RATE)
    bins = bins[bins < TOP].astype(np.float32)
    magnitude = np.full((time.size, bins.size), 10 ** (-60 / 20), np.float32)
    for k in range(centres.shape[1]):
        c, g, w = (x[:, k : k + 1].astype(np.float32) for x in (centres, gains, half_widths))
        magnitude += g / np.sqrt(1 + ((bins - c) / w) ** 2)
    # singers even out most of the difference in loudness between open and closed vowels
    power = np.mean(magnitude**2 * np.exp(bins * np.float32(-2 / singer.tilt)), 1, keepdims=True)
    return magnitude / power ** np.float32(0.35)


def _source(
    rng: Generator,
    singer: Singer,
    pitch: NDArray[np.float64],
    loudness: NDArray[np.float64],
    samples: int,
) -> Wave:
    """Glottal pulses and aspiration, shape (samples,)."""
    at = np.arange(samples) / HOP
    frames = np.arange(pitch.size)
    frequency = np.interp(at, frames, 440 * 2 ** ((pitch - 69) / 12))
    turns = np.cumsum(frequency / RATE)
    level = np.interp(at, frames, loudness).astype(np.float32)
    r = np.exp(-frequency.astype(np.float32) / (np.float32(singer.tilt) * (0.5 + 0.5 * level)))
    cosine = np.cos((turns - np.floor(turns)).astype(np.float32) * TURN)
    pulses = (cosine - r) / (1 - 2 * r * cosine + r * r) * np.sqrt(2 * (1 - r * r))
    aspiration = np.float32(singer.breath) * rng.standard_normal(samples, np.float32)
    # air flows while the glottis is open: noise swells once per period
    return level * (pulses + aspiration * (1 - np.float32(0.6) * cosine))


def _filter(source: Wave, magnitude: Wave) -> Wave:
    """Multiply the short-time spectrum of `source` by `magnitude`, overlap-add, shape kept.

    A delay that grows with frequency spreads each glottal pulse over its period, as resonances
    do: without it the voice would be all peaks and could not be mixed loud enough.
    """
    frames = magnitude.shape[0]
    padded = np.zeros((frames + 1) * HOP, np.float32)
    padded[HOP : HOP + source.size] = source  # frame i is centred on sample i * HOP
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    spectrum = rfft(pieces * hann, FFT, axis=1)
    hertz = np.arange(magnitude.shape[1]) * (RATE / FFT)
    delay = np.pi * SPREAD * (hertz - hertz**2 / TOP)  # minus the integral of -SPREAD/2..SPREAD/2
    spectrum[:, : magnitude.shape[1]] *= magnitude * np.exp(1j * delay).astype(np.complex64)
    spectrum[:, magnitude.shape[1] :] = 0
    # responses reach back in time: bring that wrapped part to the front
    shaped = np.roll(irfft(spectrum, FFT, axis=1), HOP, axis=1).reshape(frames, FFT // HOP, HOP)
    out = np.zeros((frames + FFT // HOP - 1, HOP), np.float32)
    for part in range(FFT // HOP):
        out[part : part + frames] += shaped[:, part]
    return out.reshape(-1)[2 * HOP : 2 * HOP + source.size]


def _add_consonant(rng: Generator, voice: Wave, onset: str, start: float, velocity: float) -> None:
    """Add a noise burst that ends as the vowel begins."""
    low, high, length, level = NOISES[onset]
    shape = np.hanning(round(length * rng.uniform(0.8, 1.3) * RATE)).astype(np.float32)
    burst = coloured_noise(rng, shape.size, low, high) * shape
    _add(voice, burst * np.float32(level * velocity), start + 0.02 - length)


def _add_breath(rng: Generator, voice: Wave, start: float) -> None:
    """Add a quiet intake of breath before the note at `start` (s)."""
    shape = np.hanning(round(0.22 * RATE)).astype(np.float32)
    breath = coloured_noise(rng, shape.size, 700, 5000) * shape
    _add(voice, breath * np.float32(rng.uniform(0.02, 0.05)), start - 0.32)


def _add(voice: Wave, piece: Wave, start: float) -> None:
    first = round(start * RATE)
    if first >= 0:  # a burst before the first sample is not sung
        room = voice[first : first + piece.size]
        room += piece[: room.size]
