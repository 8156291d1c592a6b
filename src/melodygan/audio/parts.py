"""What lies in a file beside the one piece of audio that its header speaks of.

Tags in front of it, further files joined to its end, samples behind the end that a header gives:
decoders pass over all of them in silence. Here only bytes are looked at, and nothing is decoded.
"""

import struct
from dataclasses import dataclass

from melodygan.audio.source import Extent, Reader

_STEP = 1 << 20  # bytes that are searched at once
_OVERLAP = 64  # bytes; more than any beginning needs
_SLACK = 4096  # bytes at an end that nobody misses: some tenths of a second
_UNKNOWN_SIZE = 0x7FFF_F000  # what programs write who cannot know the length yet, or more
_CHUNKS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"fact", b"cue ", b"PAD ", b"JUNK", b"FLLR")
_HEADS = (b"RIFF", b"RIFX", b"RF64", b"FORM")
_CHUNKED = ((b"RIFF", b"WAVE"), (b"RIFX", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC"))
_SAMPLES = (b"data", b"SSND")  # chunks of samples
_MARKS = (*_HEADS, b"fLaC\0\0\0\x22", b"OggS\0\x02", b".snd\0\0\0", b"caff\0\x01", b"ftyp",
          b"TTA1\x01\0")  # fmt: skip
_MP3 = (b"Xing", b"Info")  # 13, 21 or 36 bytes into a first frame, by its layer III header
_BEHIND = 32 << 10  # bytes that a decoder may have read beyond what it has decoded


def without_tags(extent: Extent) -> Extent:
    """`extent` without the ID3v2 tags at its beginning, and the zeros that may follow them.

    Decoders count a tag in front of a WAV or AIFF as part of the samples' length.
    """
    with extent.open() as file:
        start = at = 0
        while (size := _id3(file, at)) is not None:
            start = at = at + size
            file.seek(at)
            at += len(block := file.read(_SLACK)) - len(block.lstrip(b"\0"))
        return extent.part(at) if start else extent


def _id3(file: Reader, at: int) -> int | None:
    """Bytes of the ID3v2 tag (id3.org, 2.4.0, 3.1) at `at`; None where there is none."""
    file.seek(at)
    head = file.read(10)
    if len(head) < 10 or head[:3] != b"ID3" or not 2 <= head[3] <= 4 or max(head[6:]) > 127:
        return None
    size = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return size + (20 if head[5] & 0x10 else 10)


def next_file(extent: Extent, furthest: int) -> Extent | None:
    """Another audio file that begins in `extent` behind its first one.

    furthest: where the decoder of the first one had read to, in bytes from the extent's start.
    """
    with extent.open() as file:
        whole = file.seek(0, 2)
        if whole - furthest <= _SLACK:
            return None
        file.seek(0)
        own = _beginning(file.read(_BEHIND), _BEHIND) or 0  # junk may stand in front of it
        start = max(own + 1, furthest - _BEHIND)
        while whole - start > _SLACK:
            file.seek(start)
            block = file.read(_STEP + _OVERLAP)
            if (found := _beginning(block, min(len(block), _STEP))) is not None:
                return extent.part(start + found)
            start += _STEP
    return None


def _beginning(block: bytes, length: int) -> int | None:
    """Where in the first `length` bytes of `block` the head of an audio file stands."""
    found = []
    for mark in (*_MARKS, *_MP3, b"ID3"):
        at = block.find(mark)
        while 0 <= at < length:
            if (begin := _head(block, at, mark)) is not None:
                found.append(begin)
                break
            at = block.find(mark, at + 1)
    return min(found, default=None)


def _head(block: bytes, at: int, mark: bytes) -> int | None:
    """Where the head begins that has `mark` at `at`; None where it is a chance likeness."""
    if mark in _HEADS:
        return at if block[at + 8 : at + 12] in (b"WAVE", b"AIFF", b"AIFC") else None
    if mark == b"ftyp":
        return at - 4 if at >= 4 and block[at - 4 : at - 2] == b"\0\0" else None
    if mark in _MP3:
        starts = (at - back for back in (13, 21, 36) if at >= back)
        return next((s for s in starts if block[s] == 0xFF and block[s + 1] & 0xE6 == 0xE2), None)
    if mark == b"ID3":
        head = block[at : at + 10]
        whole = len(head) == 10 and 2 <= head[3] <= 4 and head[4] < 5 and max(head[6:]) < 128
        return at if whole and not head[5] & 0x0F else None
    return at


def unexplained(extent: Extent, furthest: int) -> float:
    """The fraction of the bytes from `furthest` on that are neither tags nor padding.

    0 where they are so few that nothing can be missed.
    """
    with extent.open() as file:
        whole = file.seek(0, 2)
        start, end = furthest, _before_tags(file, whole)
        while (size := _id3(file, start)) is not None:
            start += size
        if end - start <= max(_SLACK, whole // 20):
            return 0.0
        file.seek(start)
        first, left = file.read(1), end - start - 1
        while left > 0 and (block := file.read(min(left, _STEP))):
            if block.strip(first):
                return (end - start) / whole
            left -= len(block)
    return 0.0


def _before_tags(file: Reader, end: int) -> int:
    """Where the tags begin that an MP3 has at its end: ID3v1, Lyrics3v2 and APE (v1 and v2)."""
    while True:
        file.seek(max(0, end - 160))
        last = file.read(min(160, end))
        if last[-128:-125] == b"TAG":
            end -= 128
        elif last[-9:] == b"LYRICS200" and last[-15:-9].isdigit():
            end -= int(last[-15:-9]) + 15
        elif last[-32:-24] == b"APETAGEX":
            size, _, flags = struct.unpack("<III", last[-20:-8])
            end -= size + (32 if flags >> 31 else 0)
        else:
            return end
        if end <= 0:
            return 0


@dataclass(frozen=True)
class WavLength:
    """What a WAV's or AIFF's header says of its length, and whether the file bears that out.

    seconds: of the samples that it announces; None where it does not say. end: where in the file
    they end by it. false: more samples follow there. mask: of its channels' places; 0 where it has
    none.
    """

    seconds: float | None
    end: int
    false: bool
    mask: int


def wav_length(extent: Extent) -> WavLength | None:
    """The length by the header of a WAV (Microsoft 1991) or AIFF (Apple 1989); None for others."""
    with extent.open() as file:
        whole = file.seek(0, 2)
        file.seek(0)
        head = file.read(12)
        if (head[:4], head[8:]) not in _CHUNKED:
            return None
        order, at, per_second = ("<" if head[:4] == b"RIFF" else ">"), 12, 0
        mask = 0
        while (chunk := _chunk(file, at, order)) is not None:
            name, size = chunk
            if name == b"fmt " and len(fields := file.read(min(size, 24))) >= 12:
                kind, per_second = struct.unpack(order + "H6xI", fields[:12])
                extensible = kind == 0xFFFE and len(fields) == 24
                mask = struct.unpack(order + "20xI", fields)[0] if extensible else 0
            if name in _SAMPLES:
                end = at + 8 + size
                known = size < _UNKNOWN_SIZE and per_second
                ends = (end, end + size % 2)
                false = end < whole and not any(_ends(file, e, whole, order) for e in ends)
                return WavLength(size / per_second if known else None, end, false, mask)
            at += 8 + size + size % 2
    return None


def _chunk(file: Reader, at: int, order: str) -> tuple[bytes, int] | None:
    file.seek(at)
    head = file.read(8)
    return struct.unpack(order + "4sI", head) if len(head) == 8 else None


def _ends(file: Reader, at: int, whole: int, order: str) -> bool:
    """Whether the samples may end at `at`: chunks, padding or another file follow, or nothing."""
    while (chunk := _chunk(file, at, order)) is not None:
        name, size = chunk
        file.seek(at)
        if name == bytes(4) or name[:3] == b"ID3" or name in (*_HEADS, b"fLaC", b"OggS"):
            return True
        if _beginning(file.read(2 * _OVERLAP), _OVERLAP) == 0:
            return True
        fits = at + 8 + size <= whole and all(0x20 <= byte < 0x7F for byte in name)
        if not fits:
            return name in _CHUNKS
        at += 8 + size + size % 2
    return True
