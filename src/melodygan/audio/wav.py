"""Writing WAV files, the one way this project does it: 16 bit, never clipped, never half."""

import tempfile
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.pcm import to_int16

Float = NDArray[np.float32]
_IN_MEMORY = 1 << 26  # bytes
_BLOCK = 1 << 20  # samples


def write_wav(path: Path, pieces: Iterable[Float], sample_rate: int, channels: int = 1) -> float:
    """Write the pieces of a sound one after another; returns the sound's peak.

    pieces: (samples,), or (samples, channels) where there are more channels than one. Above a peak
    of 1 the whole sound is scaled down to 1. sample_rate: Hz. The file appears under its name when
    it is complete. Memory does not grow with the length. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    peak = 0.0
    try:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(path.parent)) as raw:
            for piece in pieces:
                peak = max(peak, float(np.abs(piece).max(initial=0.0)))
                raw.write(np.ascontiguousarray(piece, np.float32).data)
            raw.seek(0)
            with wave.open(str(temporary), "wb") as file:
                file.setnchannels(channels)
                file.setsampwidth(2)
                file.setframerate(sample_rate)
                while block := raw.read(4 * _BLOCK):
                    samples = np.frombuffer(block, np.float32) / np.float32(max(1.0, peak))
                    file.writeframes(to_int16(samples).tobytes())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return peak
