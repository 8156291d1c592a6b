"""Drums: each function draws one stroke's sound and returns an instrument that ignores pitch."""

import numpy as np
from numpy.random import Generator
from scipy.signal import butter, sosfilt

from melodygan.sources.demo.instruments import RATE, TURN, clock, gate
from melodygan.sources.demo.score import Instrument, Wave


def _stroke(wave: Wave) -> Instrument:
    return lambda pitch, seconds: wave


def coloured_noise(rng: Generator, samples: int, low: float, high: float) -> Wave:
    """White noise of unit variance through a band-pass from `low` to `high` Hz (12 dB/octave)."""
    sections = butter(2, (low, high), "bandpass", fs=RATE, output="sos").astype(np.float32)
    return sosfilt(sections, rng.standard_normal(samples, np.float32)).astype(np.float32)


def _falling_tone(time: Wave, top: float, bottom: float, speed: float) -> Wave:
    """A sine that glides from `top` to `bottom` Hz, `speed` per second."""
    drop = (1 - np.exp(-time * np.float32(speed))) * np.float32((top - bottom) / speed)
    return np.sin(TURN * (np.float32(bottom) * time + drop))


def kick(rng: Generator) -> Instrument:
    """Bass drum."""
    time = clock(0.4)
    tone = _falling_tone(time, rng.uniform(110, 220), rng.uniform(42, 58), rng.uniform(20, 45))
    click = coloured_noise(rng, time.size, 1500, 6000) * np.exp(-time * 250)
    wave = tone * np.exp(-time * np.float32(rng.uniform(7, 13))) + np.float32(0.3) * click
    return _stroke(wave * gate(time, 0.35, 0.002, 0.05))


def snare(rng: Generator) -> Instrument:
    """Snare drum."""
    time = clock(0.3)
    tone = _falling_tone(time, 260, rng.uniform(160, 200), 30) * np.exp(-time * 22)
    wires = coloured_noise(rng, time.size, rng.uniform(900, 2000), 9000)
    wires *= np.exp(-time * np.float32(rng.uniform(13, 24)))
    return _stroke((np.float32(0.6) * tone + wires) * gate(time, 0.25, 0.001, 0.05))


def clap(rng: Generator) -> Instrument:
    """Several hands within 30 ms."""
    time = clock(0.3)
    wave = np.zeros_like(time)
    for delay in np.cumsum(rng.uniform(0.006, 0.014, 4)):
        since = time - np.float32(delay)
        wave += (since >= 0) * np.exp(-np.maximum(since, 0) * 60)
    wave += np.float32(0.5) * np.exp(-time * 16)
    hands = coloured_noise(rng, time.size, rng.uniform(700, 1100), rng.uniform(2500, 5000))
    return _stroke(hands * wave * gate(time, 0.25, 0.001, 0.05))


def hat(rng: Generator, seconds: float) -> Instrument:
    """Hi-hat that rings for about `seconds`."""
    time = clock(seconds * 1.5)
    noise = coloured_noise(rng, time.size, rng.uniform(5500, 8000), 16000)
    return _stroke(
        noise * np.exp(-time * np.float32(4 / seconds)) * gate(time, seconds, 0.001, 0.02)
    )


def ride(rng: Generator) -> Instrument:
    """Ride cymbal: inharmonic partials under a wash of noise."""
    time = clock(0.7)
    wave = np.float32(0.5) * coloured_noise(rng, time.size, 4000, 14000) * np.exp(-time * 9)
    for frequency in rng.uniform(2500, 9000, 7):
        wave += np.float32(0.08) * np.sin(TURN * np.float32(frequency) * time) * np.exp(-time * 8)
    return _stroke(wave * gate(time, 0.5, 0.001, 0.2))


def brush(rng: Generator) -> Instrument:
    """A brush sweeping over the snare's head."""
    time = clock(rng.uniform(0.25, 0.4))
    noise = coloured_noise(rng, time.size, rng.uniform(1200, 2500), 8000)
    return _stroke(noise * np.sin(np.float32(np.pi) * time / time[-1]) ** 2)
