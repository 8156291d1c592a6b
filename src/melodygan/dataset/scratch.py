"""One stem of a track while it is being cleaned: mono samples that may be too many for memory."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from melodygan.audio.decode import Audio, Resampler, to_mono
from melodygan.audio.silence import LevelMeter, Mono

_IN_MEMORY = 1 << 27  # bytes; 25 minutes at 22,050 Hz
_SAMPLE = np.dtype(np.float32).itemsize
_OFFSET = 1e-3  # of full scale, -60 dB: a smaller mean may be chance, and harms nothing


class Scratch:
    """Mono samples at `new_rate` Hz, written once and then read in any order.

    They lie in memory while they are few, then in a nameless file in `folder`. A constant offset
    is taken out of what is read: it is no sound, but would cost headroom.
    """

    def __init__(self, folder: Path, rate: int, new_rate: int) -> None:
        """rate: Hz of what will be added."""
        self._resampler = Resampler(rate, new_rate)
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115
        self.meter = LevelMeter(new_rate)
        self.samples = 0
        self._sum = 0.0
        self._lowest = self._highest = 0.0
        self.offset = np.float32(0)  # known when all is there

    def add(self, block: Audio) -> None:
        """Mix (n, channels) down, resample and append it. Raises OSError when the disk is full."""
        self._append(self._resampler.add(to_mono(block)))

    def finish(self) -> None:
        """Append what the resampler still holds."""
        self._append(self._resampler.finish())
        mean = self._sum / max(1, self.samples)
        self.offset = np.float32(mean if abs(mean) > _OFFSET else 0)

    @property
    def peak(self) -> float:
        """Largest magnitude, without the offset."""
        return max(self._highest - float(self.offset), float(self.offset) - self._lowest)

    def read(self, start: int, stop: int) -> Mono:
        """The samples from `start` up to `stop`, which are no more than there are."""
        samples = np.empty(stop - start, np.float32)
        self._file.seek(start * _SAMPLE)
        self._file.readinto(samples.data)
        return samples - self.offset if self.offset else samples

    def _append(self, samples: Mono) -> None:
        self._file.write(samples.data)
        self.meter.add(samples)
        self.samples += len(samples)
        self._sum += float(samples.sum(dtype=np.float64))
        self._lowest = min(self._lowest, float(samples.min(initial=0)))
        self._highest = max(self._highest, float(samples.max(initial=0)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self._file.close()
