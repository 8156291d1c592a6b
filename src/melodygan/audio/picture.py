"""Spectrograms as PNG files, without a plotting library: 8-bit palette images (RFC 2083)."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE

LOUD = 2.0  # log-mel (ln units) of the brightest colour
# black, violet, red, orange, pale yellow: lightness rises evenly, so it reads in grey too
_ANCHORS = np.array(
    [(0, 0, 4), (64, 16, 108), (151, 39, 101), (222, 73, 104), (252, 160, 110), (252, 253, 191)]
)


def spectrogram_png(log_mel: NDArray[np.float32]) -> bytes:
    """A picture of log-mel (frames, n_mels): time to the right, low bands at the bottom."""
    share = (log_mel.T[::-1] - LOG_SILENCE) / (LOUD - LOG_SILENCE)
    pixels = (np.clip(share, 0, 1) * 255).astype(np.uint8)
    height, width = pixels.shape
    places = np.linspace(0, len(_ANCHORS) - 1, 256)
    colours = [np.interp(places, range(len(_ANCHORS)), channel) for channel in _ANCHORS.T]
    palette = np.stack(colours, axis=1).astype(np.uint8)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # 0: no filter
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", palette.tobytes())
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
