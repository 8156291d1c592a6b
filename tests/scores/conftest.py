"""Made music for the tests of scores: tracks of one style that differ, as songs do."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Float = NDArray[np.float32]

MELS = 32
Make = Callable[..., list[Float]]


@pytest.fixture(scope="session")
def tracks() -> Make:
    """Makes tracks: `made_tracks`."""
    return made_tracks


def made_tracks(count: int, seed: int, tempo: int = 11, tilt: float = 2.0) -> list[Float]:
    """Log-mel of songs of falling notes at a steady tempo; each (480, MELS), ln units.

    tempo: frames a note. A song goes round a loop of its own of eight notes.
    """
    rng = np.random.default_rng(seed)
    bands, time = np.arange(MELS), np.arange(480)
    tracks = []
    for _ in range(count):
        loop = rng.uniform(4, 20, 8) + rng.normal(0, 1)
        notes = loop[time // tempo % 8] + rng.normal(0, 0.3, len(time) // tempo + 1)[time // tempo]
        envelope = np.minimum(1 + time % tempo, 4) - 0.3 * (time % tempo)
        peaks = envelope[:, None] * np.exp(-0.5 * ((bands - notes[:, None]) / 1.5) ** 2)
        colour = tilt * bands / MELS + np.repeat(rng.normal(0, 0.4, MELS // 4), 4)
        tracks.append(peaks - colour + rng.normal(0, 0.1, (len(time), MELS)) - 2)
    return [track.astype(np.float32) for track in tracks]
