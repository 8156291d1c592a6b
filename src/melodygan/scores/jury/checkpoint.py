"""Variables of a TensorFlow checkpoint, read with numpy: no TensorFlow, no pickle.

The format ("tensor bundle") is two files. The index is a table of LevelDB's kind: blocks of
key-value entries whose keys share prefixes, found through an index block, which the last 48 bytes
point to. Each value is a small protocol-buffers message: type, shape, and where in the data file
the array's little-endian bytes lie. See tensorflow/core/util/tensor_bundle and LevelDB's
doc/table_format.md.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError

Float = NDArray[np.float32]

FOOTER = 48  # bytes
MAGIC = bytes.fromhex("57fb808b247547db")
LARGEST = 1 << 28  # bytes of either file; the one we are made for has 9.5 million
FLOAT32 = 1  # TensorFlow's number of the type


class _Broken(Exception):
    """The bytes are not what the format says."""


def read_checkpoint(index: Path, data: Path) -> dict[str, Float]:
    """The float32 variables of a checkpoint of one data file, by name.

    Raises UserError for files that are missing, too large or damaged.
    """
    try:
        for file in (index, data):
            if file.stat().st_size > LARGEST:
                raise _Broken(f"{file.name} is larger than {LARGEST} bytes")
        return _variables(index.read_bytes(), data.read_bytes())
    except (_Broken, OSError) as error:
        raise UserError(
            f"{index.parent}: no readable TensorFlow checkpoint ({error}): "
            "`uv sync --reinstall-package musicnn`"
        ) from None


def _variables(table: bytes, data: bytes) -> dict[str, Float]:
    if table[-len(MAGIC) :] != MAGIC or len(table) < FOOTER:
        raise _Broken("the index does not end as a table does")
    footer = table[-FOOTER:]
    _, _, at = _place(footer, 0)  # of a block that is not in use
    variables: dict[str, Float] = {}
    for _, handle in _block(table, footer[at:]):
        for key, value in _block(table, handle):
            if key:  # the empty key holds the format's version
                array = _array(_message(value), data)
                if array is not None:
                    variables[key.decode("utf-8", "replace")] = array
                if sum(known.nbytes for known in variables.values()) > len(data):
                    raise _Broken("arrays overlap")
    return variables


def _array(entry: dict[int, list[int | bytes]], data: bytes) -> Float | None:
    """The array that an entry describes; None if it is not of float32."""
    if _number(entry, 1) != FLOAT32:
        return None
    axes = [axis for shape in entry.get(2, []) for axis in _message(_bytes(shape)).get(2, [])]
    shape = [_number(_message(_bytes(axis)), 1) for axis in axes]
    start, size = _number(entry, 4), _number(entry, 5)
    if math.prod(shape) * 4 != size or start + size > len(data):
        raise _Broken(f"an array of shape {shape} does not fit into the data file")
    return np.frombuffer(data, "<f4", size // 4, start).reshape(shape).astype(np.float32)


def _block(table: bytes, handle: bytes) -> list[tuple[bytes, bytes]]:
    """Entries of the block whose place `handle` begins with."""
    offset, size, _ = _place(handle, 0)
    block = _slice(table, offset, size)
    if _slice(table, offset + size, 1) != b"\0":
        raise _Broken("a block of the index is compressed")
    restarts = int.from_bytes(_slice(block, size - 4, 4), "little")
    end = size - 4 - 4 * restarts
    if end < 0:
        raise _Broken("a block of the index is cut off")
    entries, key, at = [], b"", 0
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = _slice(key, 0, shared) + _slice(block, at, own)
        entries.append((key, _slice(block, at + own, length)))
        at += own + length
    return entries


def _place(data: bytes, at: int) -> tuple[int, int, int]:
    """Offset and size of a block, and where in `data` they end."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return offset, size, at


def _message(data: bytes) -> dict[int, list[int | bytes]]:
    """Fields of a protocol-buffers message by number; fixed-size ones as bytes."""
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            size, at = _varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value, at = _slice(data, at, size), at + size
        else:
            raise _Broken(f"field type {kind} in the index")
        fields.setdefault(number, []).append(value)
    return fields


def _number(fields: dict[int, list[int | bytes]], field: int) -> int:
    value = fields.get(field, [0])[-1]
    if not isinstance(value, int):
        raise _Broken("a number of the index is none")
    return value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise _Broken("a message of the index is none")
    return value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and the place after it."""
    result = 0
    for shift in range(0, 64, 7):
        if not 0 <= at < len(data):
            raise _Broken("the index is cut off")
        result |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return result, at
    raise _Broken("a number of the index has no end")


def _slice(data: bytes, start: int, size: int) -> bytes:
    if start < 0 or size < 0 or start + size > len(data):
        raise _Broken("the index is cut off")
    return data[start : start + size]
