"""`melodygan generate` and `melodygan play`: new music from the trained models."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.audio.wav import write_wav
from melodygan.commands.convert import load_hearing, origin, require_other
from melodygan.generation.makers import Makers, Player
from melodygan.generation.play import continued, first_samples, invented, stream_wav
from melodygan.generation.recipe import Recipe, models_of, with_recipe
from melodygan.generation.songs import Song
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load
from melodygan.pipeline.runtime import Runtime
from melodygan.training.device import start_device

SECONDS = 30.0  # of a piece by a model that can make any length


def generate(
    label: str | None, seconds: float | None, seed: int, count: int, out: Path, model: str | None
) -> list[str]:
    """Write `count` invented pieces into the folder `out`, as 000.wav and so on.

    Each has its recipe inside. The seeds are `seed` and those after it. label, model: None stands
    for any. seconds: None stands for the length of the model's clips, or SECONDS where they can
    have any. Returns a line for each file. Raises UserError for a label, length or model that is
    not there.
    """
    makers, audio = _makers(out), load(MelConfig, "audio")
    name, sampler = makers.sampler(model, label)
    if seconds is None:
        own = None if isinstance(sampler, Player) else sampler.sample(1, seed, label).shape[1]
        seconds = SECONDS if own is None else own / audio.frame_rate
    samples = round(seconds * audio.sample_rate)
    frames = -(-samples // audio.hop_length)
    recipe = Recipe("sample", name, models_of(makers, name), label, seed=seed, seconds=seconds)
    lines = []
    for path, drawn in _files(out, seed, count):
        sound = invented(sampler, makers.synthesiser(), drawn, label, frames)
        with with_recipe(path, replace(recipe, seed=drawn)) as file:
            write_wav(file, first_samples(sound, samples), audio.sample_rate)
        length = f"{round(seconds, 2):g} s"
        lines.append(f"{path}: {length} of {label or 'music'} by {name}, seed {drawn}")
    return lines


def go_on(
    song: Path,
    label: str | None,
    seconds: float,
    seed: int,
    count: int,
    out: Path,
    model: str | None,
) -> list[str]:
    """Write the file `song` with `seconds` more that go on from its end, `count` times.

    What models hear of it: mono, and without vocals where they were trained on instrumentals. Else
    as `generate`; raises UserError too for a song that is not usable audio.
    """
    files = _files(out, seed, count, song)
    makers, hearing = _makers(out), load_hearing(keep_vocals=False)
    name, player = makers.player(model, label)
    rate = hearing.audio.sample_rate
    samples = round(seconds * rate)
    heard_as = origin(song, hearing) | {"seed": seed, "seconds": seconds}
    recipe = Recipe("continuation", name, models_of(makers, name), label, **heard_as)
    lines = []
    out.mkdir(parents=True, exist_ok=True)
    with Song(song, hearing, out) as heard:
        for path, drawn in files:
            sound = continued(heard, player, makers.synthesiser(), drawn, label, samples)
            with with_recipe(path, replace(recipe, seed=drawn)) as file:
                write_wav(file, sound, rate)
            more = f"{seconds:g} s more of {label or 'music'}"
            lines.append(f"{path}: {song.name} and {more} by {name}, seed {drawn}")
    return lines


def vary(
    song: Path,
    strength: float,
    label: str | None,
    seed: int,
    count: int,
    out: Path,
    model: str | None,
    keep_vocals: bool,
) -> list[str]:
    """Write `count` variations of the file `song`, of its length and loudness.

    strength: from 0, what the models' decoder leaves of it, to 1, music of its own. keep_vocals
    lays its vocals back. Else as `go_on`.
    """
    files = _files(out, seed, count, song)
    makers, hearing = _makers(out), load_hearing(keep_vocals)
    name, varier = makers.varier(model, label)
    heard_as = origin(song, hearing) | {"seed": seed, "strength": strength}
    recipe = Recipe("variation", name, models_of(makers, name), label, **heard_as)
    lines = []
    out.mkdir(parents=True, exist_ok=True)
    with Song(song, hearing, out) as heard:
        for path, drawn in files:
            pieces = varier.vary(heard.read, heard.frames, drawn, strength, label)
            with with_recipe(path, replace(recipe, seed=drawn)) as file:
                heard.write(file, pieces, makers.synthesiser())
            of = f"of {song.name} at strength {strength:g}"
            lines.append(f"{path}: {heard.seconds:.1f} s {of} by {name}, seed {drawn}")
    return lines


def _makers(out: Path) -> Makers:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: give the name of a folder for the results")
    return Makers(load(MelConfig, "audio"), start_device(Runtime.read()), partial=True)


def _files(out: Path, seed: int, count: int, song: Path | None = None) -> list[tuple[Path, int]]:
    """File and seed of each piece. Raises UserError if one of the files is the song."""
    files = [(out / f"{number:03d}.wav", seed + number) for number in range(count)]
    for path, _ in files:
        if song is not None:
            require_other(song, path)
    return files


def play(
    label: str | None, seconds: float | None, seed: int, out: Path | None, model: str | None
) -> None:
    """Write invented music as a WAV stream to the file `out`, or to standard output, as it goes.

    seconds: None stands for no end, until the listener leaves. Raises UserError for a label or a
    model that is not there, and for a terminal as standard output.
    """
    if out is None and sys.stdout.isatty():
        raise UserError(
            "sound does not belong on a terminal: add `-o OUT.wav`, or `| ffplay -nodisp -`"
        )
    audio = load(MelConfig, "audio")
    makers = Makers(audio, start_device(Runtime.read()), partial=True)
    _, sampler = makers.sampler(model, label)
    frames = None if seconds is None else -(-round(seconds * audio.sample_rate) // audio.hop_length)
    sound = invented(sampler, makers.synthesiser(), seed, label, frames)
    if seconds is not None:
        sound = first_samples(sound, round(seconds * audio.sample_rate))
    try:
        with out.open("wb") if out else os.fdopen(os.dup(1), "wb") as file:
            stream_wav(file, sound, audio.sample_rate)
    except BrokenPipeError:
        return  # the listener has had enough
