"""From layers of notes to stereo sound: placing, panning, room, levels."""

import numpy as np
from numpy.random import Generator
from scipy.fft import irfft, next_fast_len, rfft

from melodygan.sources.demo.drums import coloured_noise
from melodygan.sources.demo.instruments import RATE
from melodygan.sources.demo.score import Grid, Layer, Wave

DRIVE = 1.6  # of the band's soft clipping; its RMS is about 0.2 there


def _pan_gains(pan: float) -> Wave:
    """Constant-power gains (left, right)."""
    angle = (np.clip(pan, -1, 1) + 1) * np.pi / 4
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def play_layer(layer: Layer, grid: Grid, samples: int) -> Wave:
    """All notes of a layer at RMS `layer.level` dB, shape (2, samples); late ends are cut off."""
    bus = np.zeros((2, samples), np.float32)
    rendered: dict[tuple[float, int], Wave] = {}
    for number, note in enumerate(layer.notes):
        start = grid.seconds(note.start)
        held = round((grid.seconds(note.start + note.length) - start) * 100)  # in 10 ms
        key = (note.pitch, held)
        if key not in rendered:
            rendered[key] = layer.play(note.pitch, held / 100)
        first = round(start * RATE)
        room = bus[:, first : first + rendered[key].size]
        gains = _pan_gains(layer.pan + layer.spread * (1 if number % 2 else -1))
        room += gains[:, None] * (rendered[key][: room.shape[1]] * np.float32(note.velocity))
    rms = np.sqrt(np.mean(bus**2)) + np.float32(1e-9)
    return bus * np.float32(10 ** (layer.level / 20) / rms)


class Room:
    """A reverb: exponentially decaying stereo noise after a short pre-delay."""

    def __init__(self, rng: Generator) -> None:
        decay, delay = rng.uniform(0.35, 1.1), round(rng.uniform(0.01, 0.03) * RATE)  # s; samples
        length = round(decay * RATE)
        fall = np.exp(-np.arange(length, dtype=np.float32) * np.float32(6.9 / length))
        top = rng.uniform(4000, 8000)
        tail = np.stack([coloured_noise(rng, length, 250, top) * fall for _ in range(2)])
        tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
        self.response = np.pad(tail, ((0, 0), (delay, 0)))

    def __call__(self, dry: Wave) -> Wave:
        """Reverberate mono `dry` (samples,) into stereo (2, samples)."""
        size = next_fast_len(dry.size + self.response.shape[1], real=True)
        wet = irfft(rfft(dry, size) * rfft(self.response, size, axis=1), size, axis=1)
        return wet[:, : dry.size]


def mix_band(layers: list[Layer], grid: Grid, room: Room, samples: int) -> Wave:
    """The band with its reverb, softly clipped, shape (2, samples)."""
    dry = np.zeros((2, samples), np.float32)
    sent = np.zeros(samples, np.float32)
    for layer in layers:
        part = play_layer(layer, grid, samples)
        dry += part
        sent += np.float32(layer.send) * (part[0] + part[1])
    band = dry + room(sent)
    band *= np.float32(0.2) / np.sqrt(np.mean(band**2))
    return np.tanh(band * np.float32(DRIVE))


def place_voice(rng: Generator, voice: Wave, room: Room) -> Wave:
    """The singer near the centre with the room behind, shape (2, samples)."""
    dry = _pan_gains(rng.uniform(-0.12, 0.12))[:, None] * voice
    return dry + room(voice * np.float32(rng.uniform(0.12, 0.3)))
