"""Files whose headers speak of a part of what is in them: all of it is decoded, or it is said."""

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from melodygan.audio.decode import AudioError, decode, open_audio, probe

RATE = 44100
Bytes = bytes | bytearray


def tune(seed: int, seconds: float) -> NDArray[np.float32]:
    """Notes that compress badly enough for headers to matter; shape (samples,)."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    notes = 220 * 2 ** (random.integers(0, 24, 200) / 12)
    sound = 0.4 * np.sin(2 * np.pi * notes[(time * 4).astype(int)] * time)
    return (sound + 0.01 * random.standard_normal(len(time))).astype(np.float32)


def encoded(kind: str, seed: int, seconds: float) -> bytes:
    file = io.BytesIO()
    if kind == "M4A":
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(tune(seed, seconds)[None], "fltp", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
    else:
        soundfile.write(file, tune(seed, seconds), RATE, format=kind)
    return file.getvalue()


def tag(size: int) -> bytes:
    """An ID3v2.3 tag with a picture of `size` random bytes."""
    body = b"APIC" + struct.pack(">IH", size, 0) + np.random.default_rng(0).bytes(size)
    length = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + length + body


def seconds(folder: Path, data: Bytes, name: str = "song.bin") -> float:
    (folder / name).write_bytes(data)
    stream = open_audio(folder / name)
    return sum(map(len, stream.blocks)) / stream.rate


@pytest.mark.parametrize("kind", ["MP3", "WAV", "FLAC", "OGG", "AIFF", "AU", "CAF", "M4A"])
@pytest.mark.parametrize("between", [b"", tag(9000)])
def test_files_joined_end_to_end_are_heard_to_the_end(
    tmp_path: Path, kind: str, between: bytes
) -> None:
    if kind == "M4A" and between:
        pytest.skip("the offsets in an M4A do not survive a tag in front of it")
    first, second = encoded(kind, 1, 2), encoded(kind, 2, 3)
    assert seconds(tmp_path, first + between + second) == pytest.approx(5, abs=0.1)
    assert seconds(tmp_path, first) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("kind", ["MP3", "FLAC", "OGG", "AU", "CAF"])
def test_what_is_joined_to_a_wav_is_not_taken_for_samples_of_it(tmp_path: Path, kind: str) -> None:
    (tmp_path / "second").write_bytes(encoded(kind, 2, 3))
    data = encoded("WAV", 1, 2) + (tmp_path / "second").read_bytes()
    assert seconds(tmp_path, data) == pytest.approx(5, abs=0.1)
    whole, _ = decode(tmp_path / "song.bin")
    alone, _ = decode(tmp_path / "second")
    np.testing.assert_array_equal(whole[2 * RATE :], alone)


def test_files_that_only_ffmpeg_knows_are_joined_too(tmp_path: Path) -> None:
    parts = []
    for length in (2, 3):
        file = io.BytesIO()
        with av.open(file, "w", format="tta") as container:
            stream = container.add_stream("tta", rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(tune(length, length)[None], "fltp", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            context = stream.codec_context
            resampler = av.AudioResampler(context.format, "mono", RATE, context.frame_size or None)
            for part in [*resampler.resample(frame), *resampler.resample(None), None]:
                container.mux(stream.encode(part))
        parts.append(file.getvalue())
    assert seconds(tmp_path, b"".join(parts)) == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(("size", "heard"), [(0, True), (0xFFFFFFFF, True), (1000, False)])
def test_an_aiff_that_counts_too_little_is_heard_or_told(
    tmp_path: Path, size: int, heard: bool
) -> None:
    data = bytearray(encoded("AIFF", 4, 3))
    at = data.index(b"SSND")
    data[at + 4 : at + 8] = struct.pack(">I", size)
    if heard:
        assert seconds(tmp_path, data) == pytest.approx(3, abs=0.01)
    else:
        with pytest.raises(AudioError, match=r"% of it cannot be decoded"):
            seconds(tmp_path, data)
    picture = b"ID3 " + struct.pack(">I", len(tag(90_000))) + tag(90_000)
    assert seconds(tmp_path, encoded("AIFF", 4, 1) + picture) == 1


def test_the_second_file_sounds_as_by_itself_and_can_be_cut_out(tmp_path: Path) -> None:
    first, second = encoded("FLAC", 1, 2), encoded("FLAC", 2, 3)
    path = tmp_path / "joined.flac"
    path.write_bytes(first + second)
    whole, _ = decode(path)
    expected, _ = soundfile.read(io.BytesIO(second), dtype="float32", always_2d=True)
    np.testing.assert_array_equal(whole[2 * RATE :], expected)
    part, _ = decode(path, start=2.5, end=4.0)
    np.testing.assert_array_equal(part, expected[RATE // 2 : 2 * RATE])


def test_parts_of_different_rates_are_refused(tmp_path: Path) -> None:
    other = io.BytesIO()
    soundfile.write(other, tune(2, 1), 22050, format="FLAC")
    with pytest.raises(AudioError, match="change on the way"):
        seconds(tmp_path, encoded("FLAC", 1, 1) + other.getvalue())


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC", "MP3", "AU"])
def test_a_tag_in_front_takes_nothing_off_the_end(tmp_path: Path, kind: str) -> None:
    data = encoded(kind, 3, 2)
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "tagged").write_bytes(tag(60_000) + data)
    plain, _ = decode(tmp_path / "plain")
    tagged, _ = decode(tmp_path / "tagged")
    np.testing.assert_array_equal(tagged, plain)


def wav_that_says(size: int) -> bytes:
    data = bytearray(encoded("WAV", 4, 3))
    at = data.index(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", size)
    return bytes(data)


@pytest.mark.parametrize("size", [0, 1, 8, RATE, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_is_as_long_as_its_samples_whatever_it_says(tmp_path: Path, size: int) -> None:
    data = wav_that_says(size)
    assert seconds(tmp_path, data, "song.wav") == pytest.approx(3, abs=0.01)
    assert probe(tmp_path / "song.wav") == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize(
    "after",
    [
        b"",
        bytes(50_000),
        b"LIST" + struct.pack("<I", 50_000) + np.random.default_rng(0).bytes(50_000),
        b"id3 " + struct.pack("<I", len(tag(50_000))) + tag(50_000),
        tag(50_000),
    ],
)
def test_what_may_stand_behind_the_samples_of_a_wav_is_no_sound(
    tmp_path: Path, after: bytes
) -> None:
    assert seconds(tmp_path, encoded("WAV", 5, 2) + after) == 2


def false_count(kind: str, count: int) -> bytes:
    """Four seconds whose header says that there are so many samples (FLAC) or frames (MP3)."""
    data = bytearray(encoded(kind, 6, 4))
    if kind == "FLAC":
        data[22:26] = struct.pack(">I", count)  # RFC 9639, 8.2
    else:
        at = data.index(b"Xing")
        data[at + 8 : at + 12] = struct.pack(">I", count)
    return bytes(data)


@pytest.mark.parametrize(("kind", "count"), [("FLAC", RATE), ("FLAC", 0), ("MP3", 20), ("MP3", 0)])
def test_a_header_that_counts_too_little_loses_nothing(
    tmp_path: Path, kind: str, count: int
) -> None:
    assert seconds(tmp_path, false_count(kind, count)) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("kind", ["MP3", "FLAC", "OGG"])
def test_tags_and_padding_at_the_end_are_no_missing_sound(tmp_path: Path, kind: str) -> None:
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 90_032, 1, 0) + bytes(8)
    for after in (bytes(60_000), np.random.default_rng(0).bytes(90_000) + ape, b"TAG" + bytes(125)):
        assert seconds(tmp_path, encoded(kind, 7, 2) + after) == pytest.approx(2, abs=0.1)


def test_bytes_that_nobody_can_decode_are_said(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(400_000).replace(b"\xff", b"\0")
    with pytest.raises(AudioError, match=r"% of it cannot be decoded"):
        seconds(tmp_path, encoded("MP3", 8, 2) + noise)
    au = bytearray(encoded("AU", 8, 2))
    au[8:12] = bytes(4)
    with pytest.raises(AudioError, match=r"cannot be decoded|no samples"):
        seconds(tmp_path, bytes(au))


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "FLAC", "OGG"])
def test_the_channel_of_a_subwoofer_is_left_out(tmp_path: Path, kind: str) -> None:
    six = np.repeat(tune(9, 2)[:, None], 6, axis=1) * 0.5
    place = 5 if kind == "OGG" else 3  # Vorbis has an order of its own
    six[:, place] = 0.9 * np.sin(2 * np.pi * 40 * np.arange(len(six)) / RATE)
    file = io.BytesIO()
    soundfile.write(file, six, RATE, format=kind)
    (tmp_path / "song").write_bytes(file.getvalue())
    audio, _ = decode(tmp_path / "song")
    assert audio.shape[1] == 5
    low = np.abs(np.fft.rfft(audio, axis=0))[80]  # 40 Hz
    assert low.max() < 0.02 * len(audio)


def test_more_channels_than_have_names_all_count(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "many.wav", np.repeat(tune(1, 1)[:, None], 12, axis=1), RATE)
    assert decode(tmp_path / "many.wav")[0].shape == (RATE, 12)
