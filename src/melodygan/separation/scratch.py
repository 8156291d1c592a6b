"""Stereo samples on their way through the stage: in memory while few, else in a file."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from melodygan.audio.pieces import Float

_IN_MEMORY = 1 << 25  # bytes: a minute and a half at 44,100 Hz
_BLOCK = 1 << 18  # samples
_SAMPLE = np.dtype(np.float32).itemsize * 2  # bytes


class StereoScratch:
    """A growing float32 array of shape (samples, 2) that is gone when it is closed.

    folder: where the file is, if there is one.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115
        self.samples = 0

    def __enter__(self) -> "StereoScratch":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, block: Float) -> None:
        """Add (n, 2) samples at the end. Raises OSError when the disk is full."""
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(block, np.float32).data)
        self.samples += len(block)

    def read(self, start: int, stop: int) -> Float:
        """The samples from `start` up to `stop`, at most to the end."""
        self._file.seek(start * _SAMPLE)
        found = self._file.read((min(stop, self.samples) - start) * _SAMPLE)
        return np.frombuffer(found, np.float32).reshape(-1, 2)

    def blocks(self) -> Iterator[Float]:
        """All samples in blocks of bounded size."""
        for start in range(0, self.samples, _BLOCK):
            yield self.read(start, start + _BLOCK)
