"""Headers that lie: about length, channels, rate, the size of a sample, of an atom, of a tag."""

import struct
from collections.abc import Iterator
from typing import Any

from .sounds import bases, tune, wav

_HUGE = 0xFFFFFFFF
_ATOMS = {
    b"moov",
    b"trak",
    b"edts",
    b"mdia",
    b"minf",
    b"dinf",
    b"stbl",
    b"udta",
}  # with atoms inside


def wav_lies() -> Iterator[tuple[str, bytes]]:
    """WAV files with one or two false fields by name."""
    data = (tune(30, 0.6, 22050, 1) * 32767).astype("<i2").tobytes()
    fields: dict[str, tuple[int, ...]] = {
        "length": (0, 1, 7, 44, len(data) - 1, len(data) + 1, 2**31 - 1, 2**31, _HUGE),
        "channels": (0, 2, 3, 33, 255, 1025, 65535),
        "rate": (0, 1, 3999, 768_001, 2**31 - 1, 2**31, _HUGE),
        "bits": (0, 1, 7, 8, 12, 17, 24, 32, 33, 64, 255, 65535),
        "align": (0, 1, 3, 65535),
        "per_second": (0, 1, _HUGE),
        "riff": (0, 1, 4, _HUGE),
        "fmt_length": (0, 1, 14, 15, 17, 18, 40, 1000, 2**31, _HUGE),
        # unknown, ADPCM, float, A-law, mu-law, IMA ADPCM, GSM, G.721, MPEG, MP3, AC-3, extensible
        "tag": (0, 2, 3, 6, 7, 0x11, 0x31, 0x40, 0x50, 0x55, 0x2000, 0xFFFE, 0xFFFF),
    }
    for name, values in fields.items():
        for value in values:
            lie: dict[str, Any] = {name: value}
            yield f"wav-{name}-{value}", wav(data, **lie)
    yield "wav-consistent-255-channels", wav(data, channels=255)
    yield "wav-channels-and-length", wav(data, channels=65535, length=_HUGE)
    yield "wav-rate-and-length", wav(data, rate=4000, length=_HUGE, riff=_HUGE)
    for size in (0, 1, 8, 2**31, _HUGE):
        chunk = b"LIST" + struct.pack("<I", size) + b"INFOIART" + struct.pack("<I", _HUGE) + b"me"
        yield f"wav-list-before-{size}", wav(data, before=chunk)
        yield f"wav-list-after-{size}", wav(data, after=chunk)
    whole = wav(data)
    yield (
        "wav-fmt-twice",
        whole[:36] + whole[12:36].replace(b"\x01\0\x01\0", b"\x01\0\x09\0") + whole[36:],
    )
    yield "wav-data-twice", wav(data, after=whole[36:])
    yield "wav-data-first", whole[:12] + whole[36:] + whole[12:36]
    yield "wav-no-fmt", whole[:12] + whole[36:]
    yield "wav-no-data", whole[:36]
    yield "wav-rifx", b"RIFX" + whole[4:]
    yield "wav-rf64", b"RF64\xff\xff\xff\xff" + whole[8:]


def flac_lies() -> Iterator[tuple[str, bytes]]:
    """FLAC files with a false STREAMINFO (RFC 9639, 8.2) or metadata block."""
    whole = bases()["int16.flac"]
    start = 8  # of STREAMINFO, after `fLaC` and the block's own header
    packed = int.from_bytes(whole[start + 10 : start + 18], "big")
    rate, channels, bits, total = (
        packed >> 44,
        packed >> 41 & 7,
        packed >> 36 & 31,
        packed & 2**36 - 1,
    )

    def info(**lies: int) -> bytes:
        said = {"rate": rate, "channels": channels, "bits": bits, "total": total} | lies
        number = said["rate"] << 44 | said["channels"] << 41 | said["bits"] << 36 | said["total"]
        return whole[: start + 10] + number.to_bytes(8, "big") + whole[start + 18 :]

    lies = [("rate", 0), ("rate", 1), ("rate", 655_350), ("rate", 2**20 - 1), ("channels", 7)]
    lies += [("bits", 0), ("bits", 31), ("total", 0), ("total", 1), ("total", 2**36 - 1)]
    for name, value in lies:
        yield f"flac-{name}-{value}", info(**{name: value})
    for name, blocks in {
        "0": b"\0\0\0\0",
        "huge": b"\xff\xff\xff\xff",
        "odd": b"\0\x01\0\x0f",
    }.items():
        yield f"flac-block-size-{name}", whole[:start] + blocks + whole[start + 4 :]
    for kind, name in (
        (1, "padding"),
        (3, "seek-table"),
        (4, "comment"),
        (6, "picture"),
        (126, "odd"),
    ):
        for size in (0, 1, 33, 2**24 - 1):
            block = bytes([kind]) + size.to_bytes(3, "big") + b"\xff" * 8
            yield f"flac-{name}-{size}", whole[: start + 34] + block + whole[start + 34 :]
    yield "flac-wrong-frames", whole[: start + 34] + bases()["int24.flac"][start + 34 :]


def big_endian_lies() -> Iterator[tuple[str, bytes]]:
    """AIFF and AU files with false fields."""
    whole = bases()["int16.aiff"]
    common = whole.index(b"COMM") + 8
    for name, at, size in (("channels", 0, 2), ("frames", 2, 4), ("bits", 6, 2), ("rate", 8, 10)):
        for value in (b"\0", b"\x7f", b"\x80", b"\xff"):
            lie = value * size
            at_byte = common + at
            yield f"aiff-{name}-{value.hex()}", whole[:at_byte] + lie + whole[at_byte + size :]
    whole = bases()["int16.au"]
    for number, name in enumerate(("start", "length", "coding", "rate", "channels"), 1):
        for value in (0, 1, 23, 255, 65535, 2**31, _HUGE):
            at = 4 * number
            yield f"au-{name}-{value}", whole[:at] + struct.pack(">I", value) + whole[at + 4 :]


def mp4_lies() -> Iterator[tuple[str, bytes]]:
    """M4A files in which an atom has a false size, or a table a false number of entries."""
    for base in ("aac.m4a", "alac.m4a"):
        whole = bases()[base]
        for number, (at, kind) in enumerate(_atoms(whole, 0, len(whole))):
            name = f"{base[:-4]}-{number:02d}-{kind.decode('latin-1')}"
            for value in (0, 7, _HUGE) if base == "alac.m4a" else (1, 2**31):
                yield (
                    f"{name}-size-{value}",
                    whole[:at] + struct.pack(">I", value) + whole[at + 4 :],
                )
            if kind in (b"stts", b"stsc", b"stsz", b"stco", b"stsd", b"dref", b"elst", b"mdhd"):
                for offset in (12, 16):
                    lie = struct.pack(">I", _HUGE)
                    field = at + offset
                    yield f"{name}-field-{offset}", whole[:field] + lie + whole[field + 4 :]


def _atoms(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Where each atom begins, and its kind, with the atoms inside it (ISO 14496-12, 4.2)."""
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        yield start, kind
        if kind in _ATOMS:
            yield from _atoms(data, start + 8, start + size)
        start += max(size, 8)


def mp3_lies() -> Iterator[tuple[str, bytes]]:
    """MP3 files with false ID3v2 tags, and with a false number of frames."""
    whole = bases()["layer3.mp3"]
    for size in (0, 1, 10, len(whole), 2**28 - 1):
        synchsafe = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
        yield f"mp3-tag-{size}", b"ID3\x04\0\0" + synchsafe + whole
        yield f"mp3-tag-only-{size}", b"ID3\x04\0\0" + synchsafe
        frame = b"TIT2" + bytes([127, 127, 127, 127]) + b"\0\0\x03title"
        yield f"mp3-tag-frame-{size}", b"ID3\x04\0\x40" + synchsafe + frame + whole
    yield "mp3-tag-size-not-synchsafe", b"ID3\x03\0\0\xff\xff\xff\xff" + whole
    yield "mp3-tags-without-end", (b"ID3\x04\0\0" + bytes(4)) * 2000 + whole
    at = max(whole.find(b"Xing"), whole.find(b"Info"))
    lie = struct.pack(">II", _HUGE, _HUGE)
    yield "mp3-frames", whole[: at + 8] + lie + whole[at + 16 :]


def ogg_lies() -> Iterator[tuple[str, bytes]]:
    """Ogg files (RFC 3533, 6) with false fields in each of the first pages."""
    for base in ("vorbis.ogg", "opus.ogg"):
        whole = bases()[base]
        pages = [i for i in range(len(whole)) if whole.startswith(b"OggS", i)]
        for number, page in enumerate(pages[:4]):
            for name, at, value in (
                ("flags", 5, b"\x07"),
                ("position", 6, b"\xff" * 7 + b"\x7f"),
                ("negative", 6, b"\xfe" + b"\xff" * 7),
                ("serial", 14, b"\xff" * 4),
                ("segments", 26, b"\xff"),
            ):
                lie = whole[: page + at] + value + whole[page + at + len(value) :]
                yield f"{base[:-4]}-page-{number}-{name}", lie
        head = whole.index(b"vorbis" if base == "vorbis.ogg" else b"OpusHead") + 8
        for offset in range(4):
            at = head + 2 * offset
            yield f"{base[:-4]}-head-{offset}", whole[:at] + b"\xff\xff" + whole[at + 2 :]


def wide_lies() -> Iterator[tuple[str, bytes]]:
    """Files of the formats with 64-bit lengths, each of which is false in turn."""
    fields = {"int16.caf": (b"desc", b"data"), "int16.w64": (b"fmt ", b"data")}
    for base, chunks in fields.items():
        whole = bases()[base]
        for chunk in chunks:
            at = whole.index(chunk) + (4 if base == "int16.caf" else 16)
            order = ">Q" if base == "int16.caf" else "<Q"
            for power in (0, 31, 32, 62, 63, 64):
                lie = struct.pack(order, 2**power - 1)
                name = f"{chunk.decode().strip()}-{power}.{base[-3:]}"
                yield name, whole[:at] + lie + whole[at + 8 :]
    whole = bases()["aac.m4a"]
    for kind in (b"moov", b"mdat"):
        at = whole.index(kind)
        for power in (0, 31, 32, 62, 63, 64):  # a size of 1 says that the true one follows
            lie = struct.pack(">I4sQ", 1, kind, 2**power - 1)
            yield f"{kind.decode()}-{power}.m4a", whole[: at - 4] + lie + whole[at + 4 :]
    for base in ("opus.webm", "ac3.mka"):
        whole = bases()[base]
        for name, element in (("segment", b"\x18\x53\x80\x67"), ("cluster", b"\x1f\x43\xb6\x75")):
            at = whole.index(element) + 4
            for lie in (b"\x01" + b"\xff" * 7, b"\x01\x7f" + b"\xff" * 6, b"\x80", bytes(8)):
                yield (
                    f"{name}-{lie.hex()}.{base.rsplit('.')[1]}",
                    whole[:at] + lie + whole[at + 8 :],
                )
