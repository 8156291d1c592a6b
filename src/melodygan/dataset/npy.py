"""Writing a .npy file block by block, for arrays that do not fit into memory."""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from melodygan.pipeline.errors import UserError, mendable
from melodygan.pipeline.files import as_written


class NpyWriter:
    """A .npy file of known `shape`, written along the first axis; the bytes are np.save's.

    Plain writes, since a full disk ends a memory map with a signal instead of an error.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> None:
        self._path, self._shape, self._dtype = path, shape, np.dtype(dtype)
        self._rows = 0
        self._file = path.open("wb")
        write_header(self._file, shape, self._dtype)

    def append(self, block: NDArray[np.generic]) -> None:
        """Write the next rows. Raises ValueError for another type or shape than the file's."""
        if block.dtype != self._dtype or block.shape[1:] != self._shape[1:]:
            raise ValueError(
                f"{self._path}: rows of {self._dtype} {self._shape[1:]}, "
                f"not of {block.dtype} {block.shape[1:]}"
            )
        self._file.write(np.ascontiguousarray(block).data)
        self._rows += len(block)

    def close(self) -> None:
        """Close the file. Raises ValueError when it has not as many rows as its header says."""
        self._file.close()
        if self._rows != self._shape[0]:
            raise ValueError(f"{self._path}: {self._rows} rows written, not {self._shape[0]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()  # the exception says more than the missing rows


def map_rows(path: Path, dtype: DTypeLike, columns: int | None = None) -> NDArray[Any]:
    """The memory-mapped rows of a file that NpyWriter wrote: (rows,), or (rows, columns).

    Raises UserError for any other file: no object in it is unpickled, and no more memory asked for
    than the file has bytes.
    """
    try:
        with as_written(path):
            rows = np.lib.format.open_memmap(path, mode="r")
            wanted = () if columns is None else (columns,)
            if rows.dtype != dtype or rows.shape[1:] != wanted or rows.ndim != 1 + len(wanted):
                raise ValueError(f"{rows.dtype} {rows.shape}, not {np.dtype(dtype)} (n, *{wanted})")
            return rows
    except OSError as error:  # not there, a folder, or a name that cannot be
        told = f"{path}: {error.strerror}: delete what is there and run `dvc repro`"
        raise mendable(error) or UserError(told) from None


def write_header(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """What comes before the data; equally long for any length of the first axis."""
    descr = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of what `write_header` wrote; leaves the file at the data."""
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, dtype
