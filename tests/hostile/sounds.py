"""Short sounds in every common format, with the same bytes each time they are made."""

import io
import struct
from functools import cache

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

Sound = NDArray[np.float64]
_BITEXACT = {"fflags": "+bitexact"}  # without random serial numbers and dates


def tune(seed: int, seconds: float, rate: int, channels: int) -> Sound:
    """Decaying notes, other ones for each seed; shape (samples, channels), peak 0.5."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    hertz = 220 * 2 ** (random.integers(0, 18, 64) / 12)
    notes = np.sin(2 * np.pi * hertz[(time * 8).astype(int) % 64] * time) * np.exp(-(time * 8 % 1))
    return 0.5 * notes[:, None] * (0.9 ** np.arange(channels))


def wav(
    data: bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 22050,
    bits: int = 16,
    align: int | None = None,
    per_second: int | None = None,
    length: int | None = None,
    riff: int | None = None,
    fmt_length: int = 16,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A WAV file whose header says exactly what it is told, true or not.

    align: bytes of all channels' samples. length, riff, fmt_length: what the chunks claim to be
    long. before, after: further chunks around the data. (RIFF WAVE, Microsoft 1991.)
    """
    align = channels * bits // 8 % 65536 if align is None else align
    per_second = rate * align % 2**32 if per_second is None else per_second
    length = len(data) if length is None else length
    fmt = struct.pack("<IHHIIHH", fmt_length, tag, channels, rate, per_second, align, bits)
    rest = before + b"data" + struct.pack("<I", length) + data + after
    body = b"WAVEfmt " + fmt + rest
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def wav_float(samples: Sound, rate: int, kind: str = "<f4") -> bytes:
    """A float WAV; libsndfile would put the time of day into it."""
    bits = 8 * np.dtype(kind).itemsize
    data = samples.astype(kind).tobytes()
    return wav(data, tag=3, channels=samples.shape[1], rate=rate, bits=bits)


def encode(samples: Sound, rate: int, kind: str, subtype: str | None = None) -> bytes:
    """A file written by libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=kind)
    return file.getvalue()


def encode_av(samples: Sound, rate: int, container: str, codec: str) -> bytes:
    """A file written by FFmpeg's libraries: mono, with `codec` in `container`."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=_BITEXACT) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        stream.codec_context.flags |= 1 << 23  # bitexact: no version of the encoder either
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[:, :1].T, np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = rate, 0
        for part in av.AudioResampler(stream.codec_context.format).resample(frame):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def _ogg_again(data: bytes) -> bytes:
    """The same packets in Ogg pages whose serial number is not random."""
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(data)) as source,
        av.open(file, "w", format="ogg", options=_BITEXACT) as output,
    ):
        stream = output.add_stream_from_template(source.streams[0])
        for packet in source.demux(source.streams[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return file.getvalue()


def flac_silence(rate: int, seconds: int, channels: int = 1, said: int | None = None) -> bytes:
    """Silence as FLAC's shortest frames: a day at 8 kHz in 0.2 MB (RFC 9639, 9).

    said: how many samples the header promises; 0 = it does not say.
    """
    size = 65535
    frames = [_silent_frame(n, size, channels) for n in range(rate * seconds // size)]
    total = len(frames) * size if said is None else said
    number = rate << 44 | channels - 1 << 41 | 15 << 36 | total
    info = struct.pack(">HH6xQ16x", size, size, number)
    return b"fLaC\x80\0\0\x22" + info + b"".join(frames)


def _silent_frame(number: int, size: int, channels: int) -> bytes:
    """A 16-bit frame of `size` zeros a channel; FLAC writes its number as UTF-8 does a letter."""
    head = b"\xff\xf8\x70" + bytes([channels - 1 << 4 | 8])
    head += chr(number).encode("utf-8", "surrogatepass") + struct.pack(">H", size - 1)
    frame = head + bytes([_crc(head, 8, 0x07)]) + bytes(3 * channels)
    return frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    """Cyclic redundancy check, highest bit first, starting from zero."""
    table, crc = _crc_table(bits, polynomial), 0
    for byte in data:
        crc = (crc << 8 ^ table[crc >> (bits - 8) ^ byte]) & (1 << bits) - 1
    return crc


@cache
def _crc_table(bits: int, polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc >> (bits - 1) else 0)) & (1 << bits) - 1
        table.append(crc)
    return table


@cache
def bases() -> dict[str, bytes]:
    """Valid files by name, some 0.6 s long."""

    def sound(seed: int, rate: int, channels: int = 1) -> Sound:
        return tune(seed, 0.6, rate, channels)

    return {
        "int16.wav": encode(sound(0, 22050), 22050, "WAV", "PCM_16"),
        "int24.wav": encode(sound(1, 16000, 2), 16000, "WAV", "PCM_24"),
        "float.wav": wav_float(sound(2, 12000), 12000),
        "double.wav": wav_float(sound(3, 8000), 8000, "<f8"),
        "adpcm.wav": encode(sound(4, 22050), 22050, "WAV", "IMA_ADPCM"),
        "extensible.wav": encode(sound(5, 8000, 6), 8000, "WAVEX", "PCM_16"),
        "int16.flac": encode(sound(6, 22050), 22050, "FLAC", "PCM_16"),
        "int24.flac": encode(sound(7, 48000, 2), 48000, "FLAC", "PCM_24"),
        "vorbis.ogg": _ogg_again(encode(sound(8, 22050), 22050, "OGG", "VORBIS")),
        "opus.ogg": _ogg_again(encode(sound(9, 48000), 48000, "OGG", "OPUS")),
        "layer3.mp3": encode(sound(10, 44100), 44100, "MP3"),
        "int16.aiff": encode(sound(11, 22050), 22050, "AIFF", "PCM_16"),
        "int16.au": encode(sound(12, 8000, 2), 8000, "AU", "PCM_16"),
        "int16.caf": encode(sound(13, 16000), 16000, "CAF", "PCM_16"),
        "int16.w64": encode(sound(14, 8000), 8000, "W64", "PCM_16"),
        "aac.m4a": encode_av(sound(15, 44100), 44100, "mp4", "aac"),
        "alac.m4a": encode_av(sound(16, 16000), 16000, "mp4", "alac"),
        "opus.webm": encode_av(sound(17, 48000), 48000, "webm", "libopus"),
        "adts.aac": encode_av(sound(18, 44100), 44100, "adts", "aac"),
        "wmav2.wma": encode_av(sound(19, 44100), 44100, "asf", "wmav2"),
        "ac3.mka": encode_av(sound(20, 48000), 48000, "matroska", "ac3"),
    }
