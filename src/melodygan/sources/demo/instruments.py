"""Pitched instruments: each function draws a timbre and returns `play(MIDI pitch, seconds)`.

Saws and plucked strings use closed forms of harmonic series whose k-th partial has the weight
r ** k (Moorer 1976, "The synthesis of complex audio spectra by means of discrete summation
formulas"): one evaluation for all partials, no aliasing worth hearing, and r as the filter knob.
"""

import numpy as np
from numpy.random import Generator

from melodygan.sources.demo.score import Instrument, Wave

RATE = 44100  # Hz
TURN = np.float32(2 * np.pi)


def hertz(pitch: float) -> float:
    """Frequency of a MIDI pitch."""
    return float(440 * 2 ** ((pitch - 69) / 12))


def clock(seconds: float) -> Wave:
    """Sample times in s."""
    return (np.arange(max(1, round(seconds * RATE))) / RATE).astype(np.float32)


def phase(frequency: float, samples: int, offset: float = 0.0) -> Wave:
    """Phase in radians of a steady tone; counted in float64 so that long notes stay in tune."""
    turns = np.arange(samples) * (frequency / RATE) + offset
    return (turns - np.floor(turns)).astype(np.float32) * TURN


def saw(angle: Wave, r: Wave) -> Wave:
    """Sum over k of r**k sin(k angle) / k: a saw wave behind a soft low-pass."""
    return np.arctan2(r * np.sin(angle), 1 - r * np.cos(angle))


def brightness(frequency: float, cutoff: Wave | np.float32) -> Wave:
    """The r that lets partials fall by 1/e per `cutoff` Hz."""
    return np.exp(np.float32(-frequency) / cutoff)


def gate(time: Wave, held: float, attack: float, release: float) -> Wave:
    """Raised-cosine attack and release (s) around a note held for `held` s."""
    rise = np.clip(time / np.float32(attack), 0, 1)
    fall = np.clip((np.float32(held + release) - time) / np.float32(release), 0, 1)
    return (rise * rise * (3 - 2 * rise)) * (fall * fall * (3 - 2 * fall))


def electric_piano(rng: Generator) -> Instrument:
    """Two-operator FM with a short bell-like tine."""
    index, tine = rng.uniform(0.7, 1.8), rng.uniform(0.03, 0.12)
    decay, ratio = rng.uniform(0.7, 1.4), float(rng.choice([1.0, 2.0]))

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(seconds + 0.12)
        f = hertz(pitch)
        bend = np.float32(index) * np.exp(-time * 4) * np.sin(phase(f * ratio, time.size))
        body = np.sin(phase(f, time.size) + bend) * np.exp(-time / np.float32(decay))
        bell = np.float32(tine) * np.sin(phase(f * 7.02, time.size)) * np.exp(-time * 14)
        return (body + bell) * gate(time, seconds, 0.004, 0.12)

    return play


def vibraphone(rng: Generator) -> Instrument:
    """Bars with partials 1, 4 and 10 and the motor's tremolo."""
    motor, depth = rng.uniform(4, 7), rng.uniform(0.05, 0.3)

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(seconds + 0.5)
        f = hertz(pitch)
        bar = np.sin(phase(f, time.size)) * np.exp(-time * 1.5)
        bar += np.float32(0.3) * np.sin(phase(f * 4, time.size)) * np.exp(-time * 6)
        bar += np.float32(0.07) * np.sin(phase(f * 10, time.size)) * np.exp(-time * 25)
        tremolo = 1 - np.float32(depth) * (1 + np.sin(phase(motor, time.size)))
        return bar * tremolo * gate(time, seconds, 0.003, 0.5)

    return play


def guitar(rng: Generator) -> Instrument:
    """A plucked string; the plucking point cancels some partials."""
    point, cutoff = rng.uniform(0.12, 0.35), rng.uniform(900, 2500)
    decay = rng.uniform(0.25, 0.6)

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(seconds + 0.08)
        f = hertz(pitch)
        r = brightness(f, 250 + np.float32(cutoff) * np.exp(-time * 9))
        string = saw(phase(f, time.size), r) - saw(phase(f, time.size, point), r)
        return string * np.exp(-time / np.float32(decay)) * gate(time, seconds, 0.003, 0.08)

    return play


def upright_bass(rng: Generator) -> Instrument:
    """A soft plucked string with a finger's thump."""
    cutoff, decay = rng.uniform(250, 600), rng.uniform(0.35, 0.8)
    thump = rng.standard_normal(2400).astype(np.float32)
    thump = np.convolve(thump, np.hanning(60) / 12)[:2400].astype(np.float32)
    thump *= np.exp(-np.arange(2400, dtype=np.float32) / 400)

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(seconds + 0.06)
        f = hertz(pitch)
        r = brightness(f, 90 + np.float32(cutoff) * np.exp(-time * 7))
        angle = phase(f, time.size)
        sine: Wave = np.sin(angle)
        string = saw(angle, r) + np.float32(0.5) * sine
        string *= np.exp(-time / np.float32(decay))
        head = min(time.size, thump.size)
        string[:head] += np.float32(0.12) * thump[:head]
        return string * gate(time, seconds, 0.006, 0.06)

    return play


def saw_bass(rng: Generator) -> Instrument:
    """A saw with a filter sweep over a sine."""
    cutoff, sweep, sub = rng.uniform(200, 500), rng.uniform(300, 1500), rng.uniform(0.3, 0.9)

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(seconds + 0.04)
        f = hertz(pitch)
        angle = phase(f, time.size)
        r = brightness(f, np.float32(cutoff) + np.float32(sweep) * np.exp(-time * 10))
        sine: Wave = np.sin(angle)
        tone = saw(angle, r) + np.float32(sub) * sine
        return tone * gate(time, seconds, 0.005, 0.04)

    return play


def pad(rng: Generator) -> Instrument:
    """Two detuned saws that swell."""
    cutoff, cents = rng.uniform(500, 1800), rng.uniform(4, 11)
    attack = rng.uniform(0.05, 0.3)

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(seconds + 0.35)
        tone = np.zeros_like(time)
        for side in (-1, 1):
            f = hertz(pitch + side * cents / 100)
            tone += saw(phase(f, time.size, 0.3 * side), brightness(f, np.float32(cutoff)))
        return tone * gate(time, seconds, attack, 0.35)

    return play


def pluck(rng: Generator) -> Instrument:
    """A short synthetic pluck: a saw whose filter closes quickly."""
    cutoff, closing = rng.uniform(1500, 4500), rng.uniform(8, 25)
    decay = rng.uniform(0.12, 0.35)

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(max(seconds, 0.3))
        f = hertz(pitch)
        r = brightness(f, 150 + np.float32(cutoff) * np.exp(-time * np.float32(closing)))
        tone = saw(phase(f, time.size), r) * np.exp(-time / np.float32(decay))
        return tone * gate(time, time[-1] - 0.05, 0.002, 0.05)

    return play


def organ(rng: Generator) -> Instrument:
    """Drawbars 16', 8', 4', 2 2/3' with a slow rotor."""
    bars = rng.uniform(0.1, 1.0, 4).astype(np.float32)
    rotor = rng.uniform(0.8, 6)

    def play(pitch: float, seconds: float) -> Wave:
        time = clock(seconds + 0.05)
        f = hertz(pitch)
        tone = np.zeros_like(time)
        for weight, multiple in zip(bars, (0.5, 1, 2, 3), strict=True):
            tone += weight * np.sin(phase(f * multiple, time.size))
        swirl = 1 + np.float32(0.15) * np.sin(phase(rotor, time.size))
        return tone * swirl * gate(time, seconds, 0.01, 0.05)

    return play
