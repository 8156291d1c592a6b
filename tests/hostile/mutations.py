"""What goes wrong with a file on its way: cut off, bits flipped, bytes lost, two files in one."""

from collections.abc import Iterator

import numpy as np

_CUTS = (0, 4, 12, 36, 44, 100)  # bytes; where headers end


def mutations(data: bytes, other: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged forms of `data` by name; `other` is a file of another format to be spliced in."""
    random = np.random.default_rng(seed)
    size = len(data)
    for cut in _CUTS:
        yield f"cut-{cut}", data[:cut]
    for eighth in (3, 7):
        yield f"cut-{eighth}-8", data[: size * eighth // 8]
    yield "cut-last", data[:-1]
    for number in range(5):
        yield f"header-flip-{number}", _flip(data, random.integers(0, 96 * 8, 1))
    for number in range(2):
        yield f"body-flip-{number}", _flip(data, random.integers(96 * 8, size * 8, 1))
    for many in (10, 1000):
        yield f"flips-{many}", _flip(data, random.integers(96 * 8, size * 8, many))
    yield "ones-head", data[:4] + b"\xff" * 36 + data[40:]
    yield "zeros-middle", data[: size // 3] + bytes(size // 3) + data[size * 2 // 3 :]
    middle = size // 2
    yield "byte-more", data[:middle] + b"\x55" + data[middle:]
    yield "byte-less", data[:middle] + data[middle + 1 :]
    yield "piece-lost", data[: size // 4] + data[size // 2 :]
    yield "piece-twice", data[:middle] + data[size // 4 :]
    yield "junk-before", random.bytes(333) + data
    yield "junk-after", data + random.bytes(3333)
    yield "other-end", data[:middle] + other[len(other) // 2 :]


def _flip(data: bytes, bits: np.ndarray) -> bytes:
    """`data` with some bits, given by their positions, turned over."""
    array = np.frombuffer(data, np.uint8).copy()
    np.bitwise_xor.at(array, bits // 8, (1 << (bits % 8)).astype(np.uint8))
    return array.tobytes()
