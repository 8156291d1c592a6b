"""The jury gives the published network's tags, and says in one line what it lacks."""

import shutil
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, log_mel
from melodygan.pipeline.errors import UserError
from melodygan.scores.jury.checkpoint import read_checkpoint
from melodygan.scores.jury.jury import TAGS, Jury, JurySpace, tag_of
from melodygan.scores.jury.sketch import sketch
from melodygan.scores.jury.weights import FILES

Float = NDArray[np.float32]

# made with the package's own graph in TensorFlow 2.21, from windows that librosa 0.11 equals
CHORD_TAGS = {"electronic": 0.235336, "indie": 0.20578, "ambient": 0.179685, "jazz": 0.010188}
CHIRP_TAGS = {"electronic": 0.735574, "electro": 0.582131, "house": 0.132267, "jazz": 0.000174}
CHORD_NORM, CHIRP_NORM = 8.4965, 19.992  # of the embeddings


def chord(root: float = 220.0, seconds: float = 4.0, rate: int = 22050) -> Float:
    """A major chord, struck twice a second."""
    time = np.arange(int(seconds * rate)) / rate
    notes = (root, root * 1.26, root * 1.49818)
    tones = sum(np.sin(2 * np.pi * note * k * time) / k for note in notes for k in range(1, 6))
    return (0.05 * tones * np.exp(-3 * (time % 0.5))).astype(np.float32)


def chirp() -> Float:
    """A wild sweep, off and on every quarter of a second; 3.5 s at 16 kHz."""
    time = np.arange(56_000, dtype=np.float64)
    return (0.1 * np.sin(time * time * 0.137) * ((time // 4000) % 2)).astype(np.float32)


@pytest.fixture
def jury(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jury:
    torch.set_num_threads(1)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    found = Jury.find()
    assert found is not None, "uv sync --group jury"
    return found


def test_tags_and_embedding_of_made_sounds_are_those_of_the_published_graph(jury: Jury) -> None:
    for sound, rate, tags, norm in [
        (chord(), 22050, CHORD_TAGS, CHORD_NORM),
        (chirp(), 16_000, CHIRP_TAGS, CHIRP_NORM),
    ]:
        heard = jury.tags(sound, rate)
        assert len(heard) == 50
        assert {name: heard[name] for name in tags} == pytest.approx(tags, abs=1e-5)
        embedding = jury.embed(sound, rate)
        assert embedding.shape == (1, 200)
        assert np.linalg.norm(embedding) == pytest.approx(norm, rel=1e-5)


def test_windows_count_only_when_full_and_a_short_sound_is_repeated(jury: Jury) -> None:
    rate = 16_000
    assert len(jury.embed(chord(seconds=8.9, rate=rate), rate)) == 2
    assert len(jury.embed(chord(seconds=9.0, rate=rate), rate)) == 3
    beat = chord(seconds=0.5, rate=rate)
    assert np.allclose(jury.embed(beat, rate), jury.embed(np.tile(beat, 6), rate), atol=1e-2)
    with pytest.raises(ValueError, match="empty"):
        jury.embed(beat[:0], rate)


def test_a_sound_has_the_same_tags_at_any_sample_rate(jury: Jury) -> None:
    low, high = jury.tags(chord(), 22050), jury.tags(chord(rate=44_100), 44_100)
    assert high == pytest.approx(low, abs=0.02)
    wrong = jury.tags(chord(), 44_100)  # an octave higher, twice as fast
    assert max(abs(wrong[name] - low[name]) for name in low) > 0.1


@pytest.mark.parametrize(
    ("label", "tag"), [("Jazz", "jazz"), ("hip hop", "hip-hop"), ("swing", None), ("", None)]
)
def test_a_label_has_the_tag_of_its_name_or_none(label: str, tag: str | None) -> None:
    assert tag_of(label) == tag
    assert tag is None or tag in TAGS


def test_other_chords_are_nearer_to_chords_than_noise_is(jury: Jury) -> None:
    rng = np.random.default_rng(0)
    roots = [110.0 * 2 ** (step / 12) for step in range(12)]
    real = [jury.embed(chord(root), 22050) for root in roots[::2]]
    other = [jury.embed(chord(root), 22050) for root in roots[1::2]]
    noise = [jury.embed(rng.normal(0, 0.1, 66_150).astype("f4"), 22050) for _ in range(6)]
    space = JurySpace(real)
    near, far = space.distances(other, real), space.distances(noise, real)
    assert near["windows"] == far["windows"] == 6
    assert near["frechet"] < 0.1 * far["frechet"]
    assert near["kernel"] < 0.2 < far["kernel"]
    assert space.distances(other, real, count=4)["windows"] == 4
    with pytest.raises(UserError, match="two windows"):
        space.distances(other[:1], real)


def test_a_sketch_of_a_log_mel_sounds_to_the_jury_like_the_sound_itself(jury: Jury) -> None:
    config = MelConfig(22050, 1024, 256, 1024, 128, 0.0, 11025.0)
    roots = [110.0 * 2 ** (step / 12) for step in range(0, 12, 2)]
    sounds = [chord(root) for root in roots]
    sketches = [sketch(log_mel(sound, config), config) for sound in sounds]
    assert sketches[0].shape == (len(sounds[0]) // 256 * 256,)
    assert np.array_equal(sketches[0], sketch(log_mel(sounds[0], config), config))
    real = [jury.embed(sound, 22050) for sound in sounds]
    space = JurySpace(real)
    shuffled = [
        sketch(np.random.default_rng(0).permutation(log_mel(sound, config)), config)
        for sound in sounds
    ]
    near, far = (
        space.distances([jury.embed(sound, 22050) for sound in made], real)
        for made in (sketches, shuffled)
    )
    assert near["frechet"] < 0.3 * far["frechet"]
    assert near["kernel"] < 0.3 < far["kernel"]


def test_the_package_is_read_once_and_never_imported(jury: Jury, tmp_path: Path) -> None:
    copy = tmp_path / ".cache/jury/musicnn-msd.safetensors"
    written = copy.read_bytes()
    copy.write_bytes(written[: len(written) // 2])
    again = Jury.find()
    assert again is not None and again.tags(chord(), 22050) == jury.tags(chord(), 22050)
    assert copy.read_bytes() == written
    assert "musicnn" not in sys.modules


def test_without_the_package_there_is_no_jury(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert Jury.find() is None


def test_a_damaged_package_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = metadata.distribution("musicnn")
    for name in [*FILES, "musicnn-0.1.0.dist-info/METADATA"]:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(str(package.locate_file(name)), tmp_path / name)
    with (tmp_path / list(FILES)[1]).open("r+b") as file:
        file.seek(1000)
        file.write(b"?")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(UserError, match=r"^\S+ is missing or not the file of .*`uv sync[^\n]*`$"):
        Jury.find()
    assert not (tmp_path / ".cache").exists()


@pytest.fixture(scope="module")
def checkpoint() -> tuple[bytes, Path]:
    """The true index, and where the data file is."""
    files = [Path(str(metadata.distribution("musicnn").locate_file(name))) for name in FILES]
    return files[0].read_bytes(), files[1]


def test_a_cut_off_index_or_data_file_is_told(
    checkpoint: tuple[bytes, Path], tmp_path: Path
) -> None:
    index, data = checkpoint
    broken = tmp_path / "broken.index"
    for size in range(0, len(index), 61):
        broken.write_bytes(index[:size])
        with pytest.raises(UserError, match="no readable TensorFlow checkpoint"):
            read_checkpoint(broken, data)
        broken.write_bytes(index[size + 1 :])
        with pytest.raises(UserError, match="no readable TensorFlow checkpoint"):
            read_checkpoint(broken, data)
    broken.write_bytes(index)
    short = tmp_path / "short"
    short.write_bytes(data.read_bytes()[:100_000])
    with pytest.raises(UserError, match="does not fit into the data file"):
        read_checkpoint(broken, short)
    with pytest.raises(UserError, match="No such file"):
        read_checkpoint(broken, tmp_path / "nothing")


def test_flipped_bytes_give_one_line_or_arrays_no_larger_than_the_file(
    checkpoint: tuple[bytes, Path], tmp_path: Path
) -> None:
    index, data = checkpoint
    rng, broken, told = np.random.default_rng(0), tmp_path / "broken.index", 0
    for place in rng.integers(0, len(index), 150):
        changed = bytearray(index)
        changed[place] ^= int(rng.integers(1, 256))
        broken.write_bytes(changed)
        try:
            variables = read_checkpoint(broken, data)
        except UserError as error:
            told += 1
            assert "\n" not in str(error)
        else:
            assert sum(value.nbytes for value in variables.values()) <= data.stat().st_size
    assert told > 30
