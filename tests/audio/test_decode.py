"""Every common format decodes; everything else is one short AudioError."""

import os
import pickle
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.audio import decode as module
from melodygan.audio.decode import (
    AudioError,
    Extent,
    decode,
    open_audio,
    probe,
    resample,
    resampled,
    to_mono,
    to_stereo,
)

RATE = 44100
SECONDS = 2.0


def tone(rate: int = RATE) -> NDArray[np.float32]:
    time = np.arange(round(rate * SECONDS)) / rate
    left = 0.4 * np.sin(2 * np.pi * 440 * time)
    return np.stack([left, 0.5 * left], axis=1).astype(np.float32)


def encode_av(path: Path, codec: str, rate: int = RATE) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        stream.bit_rate = 128_000
        samples = np.ascontiguousarray(tone(rate).T)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    length = min(len(a), len(b))
    return float(np.corrcoef(a[:length], b[:length])[0, 1])


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_formats_of_libsndfile_decode_sample_for_sample(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(), RATE)
    audio, rate = decode(path)
    assert rate == RATE
    assert audio.dtype == np.float32
    assert audio.shape == tone().shape
    assert correlation(audio[:, 0], tone()[:, 0]) > 0.999
    assert probe(path) == pytest.approx(SECONDS, abs=0.01)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [("m4a", "aac", RATE), ("webm", "libopus", 48000), ("wma", "wmav2", RATE)],
)
def test_other_formats_decode_through_pyav(
    tmp_path: Path, suffix: str, codec: str, rate: int
) -> None:
    path = tmp_path / f"tone.{suffix}"
    encode_av(path, codec, rate)
    audio, found = decode(path)
    assert found == rate
    assert audio.shape[1] == 2
    assert len(audio) / rate == pytest.approx(SECONDS, abs=0.06)
    spectrum = np.abs(np.fft.rfft(audio[rate // 2 : rate // 2 + rate, 0]))
    assert spectrum.argmax() == 440
    assert probe(path) == pytest.approx(SECONDS, abs=0.06)


@pytest.mark.parametrize("suffix", ["flac", "m4a"])
def test_a_part_is_what_lies_between_start_and_end(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    if suffix == "m4a":
        encode_av(path, "aac")
    else:
        soundfile.write(path, tone(), RATE)
    whole, _ = decode(path)
    part, _ = decode(path, start=0.5, end=1.25)
    np.testing.assert_array_equal(part, whole[RATE // 2 : RATE * 5 // 4])
    rest, _ = decode(path, start=1.5)
    np.testing.assert_array_equal(rest, whole[RATE * 3 // 2 :])


def test_resampling_keeps_the_band_and_leaves_no_alias(tmp_path: Path) -> None:
    time = np.arange(RATE * 2) / RATE
    for hz, expected in ((9500, 1.0), (15000, 0.0)):
        path = tmp_path / f"{hz}.wav"
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * hz * time), RATE, subtype="FLOAT")
        audio, rate = decode(path, 22050)
        assert rate == 22050
        assert len(audio) == 22050 * 2
        middle = audio[5000:-5000, 0]
        level = np.sqrt(2 * np.mean(middle.astype(np.float64) ** 2)) / 0.5
        assert level == pytest.approx(expected, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 3000), max_size=6),
    rates=st.sampled_from([(44100, 22050), (48000, 22050), (16000, 22050), (22050, 22050)]),
    channels=st.integers(0, 2),
)
def test_resampling_is_the_same_in_any_blocks(
    lengths: list[int], rates: tuple[int, int], channels: int
) -> None:
    shape = (sum(lengths), channels) if channels else (sum(lengths),)
    audio = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    blocks = list(resampled(np.split(audio, np.cumsum(lengths)), *rates))
    assert all(map(len, blocks))
    whole = resample(audio, *rates)
    assert abs(len(whole) - len(audio) * rates[1] / rates[0]) <= 1
    np.testing.assert_array_equal(np.concatenate([audio[:0], *blocks]), whole)


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg", "m4a"])
def test_a_file_inside_another_is_the_same_audio(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    encode_av(path, "aac") if suffix == "m4a" else soundfile.write(path, tone(), RATE)
    size = path.stat().st_size
    other = tmp_path / "other.flac"
    soundfile.write(other, np.zeros(RATE), RATE)
    packed = tmp_path / "packed.tar"
    packed.write_bytes(other.read_bytes() + path.read_bytes() + other.read_bytes())
    extent = Extent(packed, other.stat().st_size, size)
    for source, start in ((extent, None), (extent, 0.7)):
        found, rate = decode(source, start=start)
        expected, _ = decode(path, start=start)
        assert rate == RATE
        np.testing.assert_array_equal(found, expected)


def test_a_window_ends_where_it_should_though_the_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "letters"
    path.write_bytes(b"abcdefghij")
    with Extent(path, 2, 5).open() as file:
        assert file.read() == b"cdefg"
        file.seek(-2, os.SEEK_END)
        assert (file.read(9), file.read(9)) == (b"fg", b"")
        file.seek(99)
        assert file.read(1) == b""
    with Extent(path, 8).open() as file:
        assert file.read() == b"ij"
    with Extent(path, 20, 5).open() as file:
        assert file.read() == b""


@pytest.mark.parametrize("suffix", ["flac", "m4a"])
def test_blocks_are_small_and_join_to_the_whole(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"tone.{suffix}"
    encode_av(path, "aac") if suffix == "m4a" else soundfile.write(path, tone(), RATE)
    whole, _ = decode(path, start=0.3, end=1.9)
    monkeypatch.setattr(module, "_BLOCK", 700)
    blocks = list(open_audio(path, 0.3, 1.9).blocks)
    assert max(map(len, blocks)) <= 700
    assert min(map(len, blocks)) > 0
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_a_long_file_needs_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros((120 * RATE, 2), np.int16), RATE)  # 42 MB as float32
    tracemalloc.start()
    length = sum(len(block) for block in open_audio(path).blocks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length == 120 * RATE
    assert peak < 5e6


def test_a_playlist_in_disguise_opens_no_other_file(tmp_path: Path) -> None:
    song = tmp_path / "song.ts"
    encode_av(song, "aac")
    for name, text in {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{song}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": "ffconcat version 1.0\nfile song.ts\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(AudioError, match="not decodable"):
            decode(tmp_path / name)


def test_channels_are_mixed_down_and_doubled() -> None:
    six = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert to_mono(six).tolist() == [2.5, 8.5]
    assert to_stereo(six).tolist() == [[2.5, 2.5], [8.5, 8.5]]
    two = six[:, :2]
    np.testing.assert_array_equal(to_stereo(two), two)
    assert to_stereo(two[:, :1]).tolist() == [[0, 0], [6, 6]]


def broken_files(folder: Path) -> dict[str, str]:
    """Files that are not usable audio, and a part of the reason for each."""
    (folder / "empty.wav").touch()
    (folder / "page.mp3").write_text("<html>" + "not found " * 1000)
    (folder / "noise.m4a").write_bytes(np.random.default_rng(0).bytes(50_000))
    soundfile.write(folder / "none.wav", np.zeros(0), RATE)
    soundfile.write(folder / "nan.wav", np.array([0, np.nan] * 99), RATE, subtype="FLOAT")
    soundfile.write(folder / "slow.wav", np.zeros(99), 10)
    soundfile.write(folder / "wide.wav", np.zeros((99, 65)), RATE)
    encode_av(folder / "whole.m4a", "aac")
    (folder / "cut.m4a").write_bytes((folder / "whole.m4a").read_bytes()[:9000])
    rng = np.random.default_rng(1)
    soundfile.write(folder / "whole.flac", rng.uniform(-0.5, 0.5, RATE), RATE)
    (folder / "cut.flac").write_bytes((folder / "whole.flac").read_bytes()[:40_000])
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(picture), *stream.encode(None)]:
            container.mux(packet)
    os.mkfifo(folder / "pipe.wav")
    return {
        "missing.wav": "No such file",
        "empty.wav": "not decodable",
        "page.mp3": "not decodable",
        "noise.m4a": "not decodable",
        "none.wav": "no samples",
        "nan.wav": "not finite",
        "slow.wav": "10 Hz",
        "wide.wav": "65 channels",
        "cut.m4a": "not decodable",
        "cut.flac": "damaged",
        "film.mp4": "no audio",
        "pipe.wav": "not a regular file",
    }


def test_unusable_files_are_audio_errors_that_give_no_path_away(tmp_path: Path) -> None:
    for name, reason in broken_files(tmp_path).items():
        with pytest.raises(AudioError, match=reason) as caught:
            decode(tmp_path / name, 22050)
        message = str(caught.value)
        assert message.startswith(f"{name}: ")
        assert str(tmp_path) not in message
        assert "\n" not in message
        assert len(caught.value.reason) < 80


def test_a_part_beyond_the_end_is_an_audio_error(tmp_path: Path) -> None:
    for suffix in ("wav", "m4a"):
        path = tmp_path / f"tone.{suffix}"
        encode_av(path, "aac") if suffix == "m4a" else soundfile.write(path, tone(), RATE)
        for start, end in ((5.0, None), (1.0, 1.0), (1.0, 0.5)):
            with pytest.raises(AudioError, match="no samples"):
                decode(path, start=start, end=end)


def test_an_audio_error_survives_the_way_back_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(AudioError("a.wav", "damaged")))
    assert (str(error), error.reason) == ("a.wav: damaged", "damaged")
