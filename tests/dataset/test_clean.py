"""One track's way through memory and scratch files leaves no trace in its result."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.audio import decode
from melodygan.audio.decode import Extent
from melodygan.dataset import clean, scratch
from melodygan.dataset.clean import CleanSettings, clean_track
from melodygan.pipeline.files import read_json

RATE = 44100
SETTINGS = CleanSettings(
    min_seconds=0.5,
    silence_db=-50.0,
    silence_gap=0.1,
    noise_margin_db=6.0,
    loudness_lufs=-23.0,
    true_peak_db=-1.0,
    max_clipped=0.05,
    sample_rate=22050,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Extent]:
    """Stems with hiss before the music, silences in it, and a voice that sounds through them."""
    folder = tmp_path_factory.mktemp("stems")
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    music = 0.3 * np.sin(2 * np.pi * 330 * time) * ((time > 0.5) & (time % 1 < 0.6))
    music = music + 1e-4 * rng.normal(size=len(time))
    voice = 0.1 * np.sin(2 * np.pi * 500 * time)
    for name, mono in (("instrumental", music), ("vocals", voice)):
        stereo = np.stack([mono, 0.5 * mono], axis=1)
        soundfile.write(folder / f"{name}.flac", stereo, RATE, subtype="PCM_16")
    return {name: Extent(folder / f"{name}.flac") for name in ("instrumental", "vocals")}


def results(files: dict[str, Extent]) -> dict[str, bytes]:
    """The result files of a track made of all stems and their sum."""
    stems = {"instrumental": "instrumental", "mix": "mix", "vocals": "vocals"}
    with TemporaryDirectory() as folder:
        clean_track(Path(folder), files, stems, 0.0, SETTINGS)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@settings(max_examples=8, deadline=None)
@given(
    read=st.integers(1000, 1 << 18),
    cut=st.integers(1000, 1 << 17),
    memory=st.sampled_from([1, 100_000, 1 << 27]),
)
def test_the_bytes_do_not_depend_on_the_blocks(
    files: dict[str, Extent], read: int, cut: int, memory: int
) -> None:
    expected = results(files)
    stems = {"instrumental.npy", "mix.npy", "vocals.npy"}
    assert expected.keys() == {"result.json", "print.npy"} | stems
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_BLOCK", read)
        patch.setattr(scratch, "_IN_MEMORY", memory)
        patch.setattr(clean, "_BLOCK", cut)
        assert results(files) == expected


def test_noise_and_silences_go_from_all_stems_alike(files: dict[str, Extent]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        clean_track(folder, files, {s: s for s in ("instrumental", "vocals")}, 0.01, SETTINGS)
        result = read_json(folder / "result.json")
        music, voice = (np.load(folder / f"{stem}.npy") / 32767 for stem in result)
    assert len(music) == len(voice) == result["vocals"]["samples"]
    # 0.5-0.6, 1-1.6 and 2-2.6 s sound, and there is a tenth of a second after each
    assert len(music) / 22050 == pytest.approx(1.6, abs=0.08)
    assert result["vocals"]["clipped"] == 0.01
    loud = np.abs(voice).reshape(-1, 49)[: len(voice) // 49].max(axis=1)
    assert loud.min() > 0.9 * loud.max()  # no click and no hole at the cuts


def test_a_damaged_file_leaves_the_reason_alone(tmp_path: Path, files: dict[str, Extent]) -> None:
    path = files["vocals"].path
    damaged = Extent(path, 0, path.stat().st_size // 2)
    clean_track(tmp_path, {"mix": damaged}, {"mix": "mix"}, 0.0, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert read_json(tmp_path / "result.json")["rejected"].startswith("damaged")
