"""Where audio bytes lie: a file, or a part of one such as a member of a tar file."""

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import UserError


class AudioError(UserError):
    """A file that is not usable audio.

    reason: why, in a few words without any path, as it is listed among the rejected tracks.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


@dataclass(frozen=True)
class Extent:
    """A range of bytes of a file that is an audio file by itself; size None: to the file's end."""

    path: Path
    offset: int = 0
    size: int | None = None

    def part(self, start: int) -> "Extent":
        """What is left from byte `start` of this range on."""
        left = None if self.size is None else max(0, self.size - start)
        return Extent(self.path, self.offset + start, left)

    def open(self) -> "Reader":
        """The bytes as a seekable file. Raises AudioError where there is no regular file."""
        try:
            # stat first: opening a FIFO would block for ever
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise AudioError(self.path.name, "not a regular file")
            file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise AudioError(self.path.name, str(error.strerror)) from None
        if self == Extent(self.path):
            return Reader(file)
        end = found.st_size if self.size is None else min(self.offset + self.size, found.st_size)
        return Reader(_Window(file, self.offset, end), 1 << 16)


class Reader(io.BufferedReader):
    """A buffered file for C libraries, which knows how far they have read.

    Damage makes them seek where there is nothing, and what they know of is -1; an exception in
    their callback would be printed and then be lost. furthest: the end of what was read since it
    was last set to 0, in bytes.
    """

    furthest = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.furthest = max(self.furthest, self.tell())
        return data

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self.furthest = max(self.furthest, self.tell())
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            return -1


class _Window(io.RawIOBase):
    """The bytes from `start` to `end` of an open file, which is closed along with it."""

    def __init__(self, file: io.FileIO, start: int, end: int) -> None:
        self.name = file.name  # libraries guess a format from it where the content leaves doubts
        self._file, self._start, self._size = file, start, max(0, end - start)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        read = os.preadv(self._file.fileno(), [view[:wanted]], self._start + self._position)
        self._position += read
        return read

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("seek before the start")
        self._position = base + offset
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()
