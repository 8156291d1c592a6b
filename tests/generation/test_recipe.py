"""Recipes inside WAV files: kept by others' tools, and harmless whatever a file says."""

import json
import struct
import subprocess
import wave
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.audio.decode import Extent, open_audio
from melodygan.audio.wav import write_wav
from melodygan.generation.recipe import MOST, Recipe, Weights, read_recipe, with_recipe
from melodygan.pipeline.errors import UserError

RATE = 8000
SONG = {"song": "0" * 64, "hearing": "1" * 64}
MODELS = [Weights("latent_prior", "a" * 64), Weights("vocoder", "b" * 64)]
RECIPES = [
    Recipe("sample", "latent_prior", MODELS, "Übung", seed=7, seconds=1.0 / 3),
    Recipe("continuation", "latent_prior", MODELS, None, seed=7, seconds=2.0, **SONG),
    Recipe("variation", "latent_prior", MODELS, seed=0, strength=0.0, keep_vocals=True, **SONG),
    Recipe("conversion", "vocoder", MODELS, "b", "a", strength=0.7, **SONG),
]


def sound(samples: int = 999) -> np.ndarray:
    return (0.5 * np.sin(np.arange(samples) / 5)).astype(np.float32)


def written(path: Path, recipe: Recipe = RECIPES[0]) -> Path:
    with with_recipe(path, recipe) as file:
        write_wav(file, [sound()], RATE)
    return path


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.kind)
def test_a_recipe_comes_out_of_a_file_as_it_went_in(recipe: Recipe, tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path / "a.wav", recipe)) == recipe
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert written(tmp_path / "b.wav", recipe).read_bytes() == (tmp_path / "a.wav").read_bytes()


def test_the_sound_is_that_of_a_file_without_a_recipe(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    write_wav(tmp_path / "plain.wav", [sound()], RATE)
    plain, data = (tmp_path / "plain.wav").read_bytes(), path.read_bytes()
    assert data[8 : len(plain)] == plain[8:], "all but the whole size"
    assert struct.unpack("<I", data[4:8]) == (len(data) - 8,)
    with wave.open(str(path)) as file:
        assert file.readframes(10_000) == plain[44:]
    stream = open_audio(Extent(path))  # as this project reads songs
    assert np.concatenate(list(stream.blocks))[:, 0] == pytest.approx(sound(), abs=1e-4)


def test_others_show_the_recipe_and_keep_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    with soundfile.SoundFile(path) as file:
        assert json.loads(file.comment) == asdict(RECIPES[0])
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    for name in ("copy.wav", "again.wav"):
        coding = ["-c", "copy"] if name == "copy.wav" else ["-ar", "44100"]
        command = [ffmpeg, "-v", "error", "-i", str(path), *coding, str(tmp_path / name)]
        subprocess.run(command, check=True)
        assert read_recipe(tmp_path / name) == RECIPES[0]


def test_of_a_file_that_fails_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), with_recipe(tmp_path / "a.wav", RECIPES[0]) as file:
        write_wav(file, [sound()], RATE)
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_files_without_a_recipe_say_so(tmp_path: Path) -> None:
    write_wav(tmp_path / "plain.wav", [sound()], RATE)
    with soundfile.SoundFile(tmp_path / "other.wav", "w", RATE, 1) as file:
        file.comment = "a nice tune"
        file.write(sound())
    with_comment(tmp_path, b"1999").rename(tmp_path / "year.wav")
    (tmp_path / "text.wav").write_bytes(json.dumps(asdict(RECIPES[0])).encode())
    (tmp_path / "empty.wav").write_bytes(b"")
    for name in ("plain", "other", "year", "text", "empty"):
        with pytest.raises(UserError, match=f"{name}.wav has no recipe inside"):
            read_recipe(tmp_path / f"{name}.wav")
    for name in ("nowhere.wav", "."):
        with pytest.raises(UserError, match="there is no such file"):
            read_recipe(tmp_path / name)


def changed(**values: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda recipe: recipe | values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(seed=-1), "recipe.seed must be at least 0"),
        (changed(seed=1 << 40), "recipe.seed must be less than"),
        (changed(seed=1.5), "recipe.seed must be a whole number"),
        (changed(seed=True), "recipe.seed must be a whole number"),
        (changed(seconds=1e9), "recipe.seconds must be less than"),
        (changed(seconds=float("nan")), "recipe.seconds must be finite"),
        (changed(strength=0.5), "a sample cannot have `strength`"),
        (changed(seconds=None), "a sample must have `seconds`"),
        (changed(song="0" * 64), "a sample cannot have `song`"),
        (changed(keep_vocals=True), "`keep_vocals` needs a song"),
        (changed(kind="variation"), "a variation must have"),
        (changed(kind="rm -rf"), "recipe.kind must be sample"),
        (changed(label="a\nb"), "is not a line"),
        (changed(label="\ud800"), "is not a line"),
        (changed(label="x" * 201), "is not a line"),
        (changed(model="../vqvae"), "is not among its models"),
        (changed(models=[{"name": "../../etc", "sha256": "a" * 64}]), "not the name of a model"),
        (changed(models=[{"name": "vqvae", "sha256": "A" * 64}]), "is not a SHA-256"),
        (changed(models={}), "must be a list"),
        (changed(tempo=2), "unknown key recipe.tempo"),
        (lambda recipe: {k: v for k, v in recipe.items() if k != "seed"}, "seed is missing"),
        (lambda recipe: [recipe], "has no recipe inside"),
    ],
)
def test_what_no_command_could_have_written_is_refused_in_one_line(
    change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    path = with_comment(tmp_path, json.dumps(change(asdict(RECIPES[0]))).encode())
    with pytest.raises(UserError, match=message) as raised:
        read_recipe(path)
    line = str(raised.value)
    assert str(path) in line and line.isprintable() and len(line) < 500 + len(str(path))


def test_a_recipe_larger_than_any_is_not_read(tmp_path: Path) -> None:
    spaces = b" " * MOST
    path = with_comment(tmp_path, json.dumps(asdict(RECIPES[0])).encode() + spaces)
    with pytest.raises(UserError, match="has no recipe"):
        read_recipe(path)


def with_comment(folder: Path, comment: bytes) -> Path:
    """A WAV file of which the comment is `comment`."""
    path = folder / "comment.wav"
    write_wav(path, [sound()], RATE)
    comment += b"\0" * (1 + (len(comment) + 1) % 2)
    sub = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", len(sub)) + sub)
    return path


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from([*asdict(RECIPES[0]), "other"])


@settings(max_examples=200, deadline=None)
@given(
    recipe=st.sampled_from(RECIPES),
    changes=st.dictionaries(KEYS, VALUES, max_size=3),
    damage=st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=8)), max_size=4),
)
def test_a_hostile_file_gives_a_sound_recipe_or_one_line(
    recipe: Recipe,
    changes: dict[str, Any],
    damage: list[tuple[int, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = with_comment(
        tmp_path_factory.getbasetemp(), json.dumps(asdict(recipe) | changes).encode()
    )
    data = bytearray(path.read_bytes())
    for place, content in damage:
        data[place : place + len(content)] = content
    path.write_bytes(bytes(data))
    try:
        found = read_recipe(path)
    except UserError as error:
        line = str(error)
        assert "\n" not in line and str(path) in line
        line.encode()  # a terminal can show it
    else:
        assert replace(found) == found  # what is checked when one is made holds
        assert {one.name.isidentifier() for one in found.models} == {True}
        assert found.label is None or found.label.isprintable()
