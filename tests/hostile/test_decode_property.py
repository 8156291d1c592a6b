"""Whatever the bytes: finite samples, or an AudioError of one line, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from melodygan.audio.decode import Audio, AudioError, Extent, decode, probe

from .impostors import ENDINGS, playlists
from .lies import flac_lies, mp4_lies, wav_lies
from .sounds import bases, encode, encode_av, flac_silence, tune

# an example has no state to be reset but one file, which each overwrites
many = settings(
    deadline=None,
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


def outcome(source: Path | Extent, start: float | None, end: float | None) -> Audio | str:
    """The samples, or the reason; fails the test where they are not what decode promises."""
    try:
        audio, rate = decode(source, None, start, end)
    except AudioError as error:
        assert error.reason and error.reason.isprintable()
        assert len(error.reason) < 150
        assert str(error) == f"{error.file}: {error.reason}"
        assert "/" not in error.reason.replace("Input/output", "")
        return error.reason
    assert audio.dtype == np.float32 and audio.ndim == 2
    assert len(audio) >= 1 and 1 <= audio.shape[1] <= 64
    assert np.isfinite(audio).all()
    assert 4000 <= rate <= 768_000
    return audio


def check(folder: Path, name: str, data: bytes, part: tuple[float | None, float | None]) -> None:
    """Decode `data` as a file and as a member of a pack between others: the same samples or none.

    Why there are none, FFmpeg may say in other words: it gets the bytes in other portions.
    """
    path = folder / name
    path.write_bytes(data)
    alone = outcome(path, *part)
    try:
        assert probe(path) >= 0
    except AudioError as error:
        assert error.reason.isprintable()
    around = bases()["int16.wav"]
    path.write_bytes(around + data + around)
    packed = outcome(Extent(path, len(around), len(data)), *part)
    assert type(packed) is type(alone)
    if not isinstance(alone, str):
        np.testing.assert_array_equal(packed, alone)


seconds = st.none() | st.floats(0, 2)
parts = st.just((None, None)) | st.tuples(seconds, seconds)


@many
@given(st.binary(max_size=4000), st.sampled_from(ENDINGS), parts)
def test_arbitrary_bytes(
    tmp_path: Path, data: bytes, ending: str, part: tuple[float | None, float | None]
) -> None:
    check(tmp_path, f"file.{ending}", data, part)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A name, and a whole file after up to four flips, cuts, insertions and splices."""
    name = draw(st.sampled_from(sorted(bases())))
    data = bytearray(bases()[name])
    for _ in range(draw(st.integers(1, 4))):
        # half of the time near the start, where the headers are
        at = draw(st.integers(0, min(200, len(data))) | st.integers(0, len(data)))
        match draw(st.sampled_from(["flip", "write", "cut", "lose", "insert", "splice"])):
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "write":
                new = draw(st.binary(min_size=1, max_size=8))
                data[at : at + len(new)] = new
            case "cut":
                del data[at:]
            case "lose":
                del data[at : at + draw(st.integers(1, 2000))]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=50))
            case "splice":
                other = bases()[draw(st.sampled_from(sorted(bases())))]
                data[at:] = other[draw(st.integers(0, len(other))) :]
    if draw(st.integers(0, 4)) == 0:
        name = f"file.{draw(st.sampled_from(ENDINGS))}"
    return name, bytes(data)


@settings(many, max_examples=400)
@given(damaged(), parts)
def test_damaged_files(
    tmp_path: Path, file: tuple[str, bytes], part: tuple[float | None, float | None]
) -> None:
    check(tmp_path, *file, part)


def test_a_flac_that_does_not_say_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "streamed.flac"  # as an encoder writes it into a pipe
    path.write_bytes(flac_silence(8000, 99, said=0))
    audio, rate = decode(path)
    assert (rate, audio.shape) == (8000, (99 * 8000 // 65535 * 65535, 1))
    assert probe(path) == len(audio) / rate


def test_a_playlist_reads_no_other_file(tmp_path: Path) -> None:
    victim = tune(0, 1.0, 22050, 1)
    (tmp_path / "victim.mp3").write_bytes(encode(victim, 22050, "MP3"))
    (tmp_path / "victim.aac").write_bytes(encode_av(victim, 22050, "adts", "aac"))
    cases = [case for name in ("mp3", "aac") for case in _hls(tmp_path / f"victim.{name}")]
    assert len(cases) > 150
    for name, text in cases:
        path = tmp_path / name
        path.write_bytes(text)
        with pytest.raises(AudioError):
            decode(path)


def _hls(victim: Path) -> Iterator[tuple[str, bytes]]:
    """Playlists that name `victim` by its whole path, and by its name alone."""
    for name, text in playlists(victim):
        yield name, text
        yield f"near-{name}", text.replace(str(victim).encode(), victim.name.encode())


MEASURE = """
import sys
from pathlib import Path
from melodygan.audio.decode import AudioError, decode, open_audio
decode(Path(sys.argv[1]) / "0-whole.m4a"), decode(Path(sys.argv[1]) / "1-whole.wav")
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        for block in open_audio(path).blocks:
            assert len(block) <= 2**18
    except AudioError:
        pass
    if peak() - before > 150:
        sys.exit(f"{path.name}: {peak() - before} MB")
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_no_memory_is_spent_on_a_header_s_promise(tmp_path: Path) -> None:
    (tmp_path / "0-whole.m4a").write_bytes(bases()["aac.m4a"])
    (tmp_path / "1-whole.wav").write_bytes(bases()["int16.wav"])
    for make, ending in ((wav_lies, "wav"), (flac_lies, "flac"), (mp4_lies, "m4a")):
        for name, data in make():
            (tmp_path / f"{name}.{ending}").write_bytes(data)
    (tmp_path / "hours.flac").write_bytes(flac_silence(8000, 3 * 3600))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-500:]
