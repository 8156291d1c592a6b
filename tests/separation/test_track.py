import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.audio.decode import decode, to_stereo
from melodygan.audio.pieces import Float
from melodygan.separation import scratch, track
from melodygan.separation.separate import SAMPLE_RATE
from melodygan.separation.track import headroom, peak, quantise, separate_file


class StubSeparator:
    """Vocals that are louder than the mix, in blocks that fit no other block."""

    def vocals(self, read, samples):  # type: ignore[no-untyped-def]
        for start in range(0, samples, 777):
            yield 1.5 * read(start, min(start + 777, samples))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Two seconds of mono at 48 kHz, cut off at full scale for a tenth of the time."""
    audio = np.random.default_rng(0).uniform(-0.9, 0.9, 96000).astype(np.float32)
    audio[20000:29600] = 1.0
    soundfile.write(tmp_path / "song.wav", audio, 48000, subtype="FLOAT")
    return tmp_path / "song.wav"


@pytest.mark.parametrize("model", [None, "stub"])
def test_a_track_in_many_blocks_has_the_samples_of_the_whole(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str | None
) -> None:
    monkeypatch.setattr(scratch, "_BLOCK", 1000)
    monkeypatch.setattr(scratch, "_IN_MEMORY", 1)
    monkeypatch.setattr(track, "_separator", lambda _: StubSeparator())
    folder = tmp_path / "result"
    folder.mkdir()
    separate_file(folder, str(song), 0.25, 1.75, model)
    mix = to_stereo(decode(song, SAMPLE_RATE, 0.25, 1.75)[0])
    stems: dict[str, Float] = {"mix": mix}
    if model is not None:
        stems = {"vocals": 1.5 * mix, "instrumental": mix - 1.5 * mix}
    for stem, samples in quantise(stems, headroom(peak(stems))).items():
        written, rate = soundfile.read(folder / f"{stem}.flac", dtype="int16")
        assert rate == SAMPLE_RATE
        np.testing.assert_array_equal(written, samples)
    result = json.loads((folder / "result.json").read_text())
    assert result["clipped"] == pytest.approx(9600 / 72000, abs=1e-3)  # at the file's own rate
    assert result["sha256"].keys() == stems.keys()
    names = {path.name for path in folder.iterdir()}
    assert names == {"result.json", *(f"{stem}.flac" for stem in stems)}  # no scratch files


def test_a_file_damaged_near_its_end_is_rejected_and_leaves_no_stems(
    song: Path, tmp_path: Path
) -> None:
    audio, rate = soundfile.read(song, dtype="float32")
    audio[-5] = np.nan
    soundfile.write(song, audio, rate, subtype="FLOAT")
    folder = tmp_path / "result"
    folder.mkdir()
    separate_file(folder, str(song), None, None, None)
    assert [path.name for path in folder.iterdir()] == ["result.json"]
    assert "not finite" in json.loads((folder / "result.json").read_text())["rejected"]


@settings(deadline=None)
@given(st.floats(0, 4), st.floats(0, 4))
def test_stems_in_16_bit_never_clip_and_sum_to_the_mix(first: float, second: float) -> None:
    random = np.random.default_rng(0)
    vocals, rest = (
        (gain * random.uniform(-1, 1, (300, 2))).astype(np.float32) for gain in (first, second)
    )
    floats = {"vocals": vocals, "instrumental": rest}
    gain = headroom(peak(floats))
    stems = quantise(floats, gain)
    total = stems["vocals"].astype(int) + stems["instrumental"]
    loudest = max(np.abs(x).max() for x in (vocals, rest, vocals + rest))
    assert gain == pytest.approx(32768 * min(1.0, 32766 / 32768 / max(loudest, 1e-9)))
    assert np.abs(total).max() <= 32767
    for stem, exact in floats.items():
        np.testing.assert_allclose(stems[stem], exact * gain, atol=1.1)
    np.testing.assert_allclose(total, (vocals + rest) * gain, atol=0.6)
