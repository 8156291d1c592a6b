"""`melodygan generate` and `melodygan play`: new music from the trained models."""

import math
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from melodygan.audio.mel import MelConfig
from melodygan.audio.wav import write_wav
from melodygan.commands.convert import load_hearing, origin, require_free
from melodygan.generation.makers import Float, Makers, Player, at_temperature
from melodygan.generation.play import (
    Wish,
    continued,
    first_samples,
    invented,
    paced,
    steered,
    stream_wav,
)
from melodygan.generation.progress import shown
from melodygan.generation.recipe import Recipe, models_of, with_recipe
from melodygan.generation.songs import Song
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load

SECONDS = 30.0  # of a piece by a model that can make any length
STRENGTH = 0.5  # of a variation, where none is asked for
AHEAD = 1.0  # s that steered music is made before it is heard
HOTTEST = 10.0  # above it all codes are about equally likely


def generate(
    label: str | None,
    seconds: float | None,
    seed: int,
    count: int,
    out: Path,
    model: str | None,
    temperature: float | None = None,
) -> list[str]:
    """Write `count` invented pieces into the folder `out`, as 000.wav and so on.

    Each has its recipe inside. The seeds are `seed` and those after it. label, model: None stands
    for any. seconds: None stands for the length of the model's clips, or SECONDS where they can
    have any. temperature: None stands for the model's own. Returns a line for each file. Raises
    UserError for a label, length or model that is not there, and for a temperature where a model
    has none.
    """
    files = _files(out, seed, count)
    makers, audio = _makers(out), load(MelConfig, "audio")
    name, sampler = makers.sampler(model, label)
    sampler = at_temperature(name, sampler, temperature)
    if seconds is None:
        own = None if isinstance(sampler, Player) else sampler.sample(1, seed, label).shape[1]
        seconds = SECONDS if own is None else own / audio.frame_rate
    samples = round(seconds * audio.sample_rate)
    frames = -(-samples // audio.hop_length)
    drawn_as: dict[str, Any] = {"seed": seed, "seconds": seconds, "temperature": temperature}
    recipe = Recipe("sample", name, models_of(makers, name), label, **drawn_as)
    lines = []
    for path, drawn in files:
        sound = invented(sampler, makers.synthesiser(), drawn, label, frames)
        sound = shown(first_samples(sound, samples), samples, "inventing")
        with with_recipe(path, replace(recipe, seed=drawn)) as file:
            write_wav(file, sound, audio.sample_rate)
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
    temperature: float | None = None,
) -> list[str]:
    """Write the file `song` with `seconds` more that go on from its end, `count` times.

    What models hear of it: mono, and without vocals where they were trained on instrumentals. Else
    as `generate`; raises UserError too for a song that is not usable audio.
    """
    files = _files(out, seed, count, song)
    makers, hearing = _makers(out), load_hearing(keep_vocals=False)
    name, player = makers.player(model, label)
    player = at_temperature(name, player, temperature)
    rate = hearing.audio.sample_rate
    samples = round(seconds * rate)
    heard_as = origin(song, hearing) | {"seed": seed, "seconds": seconds}
    heard_as |= {"temperature": temperature}
    recipe = Recipe("continuation", name, models_of(makers, name), label, **heard_as)
    lines = []
    out.mkdir(parents=True, exist_ok=True)
    with Song(song, hearing, out) as heard:
        for path, drawn in files:
            sound = continued(heard, player, makers.synthesiser(), drawn, label, samples)
            whole = heard.end() * hearing.audio.hop_length + samples
            with with_recipe(path, replace(recipe, seed=drawn)) as file:
                write_wav(file, shown(sound, whole, "inventing"), rate)
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
    temperature: float | None = None,
) -> list[str]:
    """Write `count` variations of the file `song`, of its length and loudness.

    strength: from 0, what the models' decoder leaves of it, to 1, music of its own. keep_vocals
    lays its vocals back. Else as `go_on`.
    """
    files = _files(out, seed, count, song)
    makers, hearing = _makers(out), load_hearing(keep_vocals)
    name, varier = makers.varier(model, label)
    varier = at_temperature(name, varier, temperature)
    heard_as = origin(song, hearing) | {"seed": seed, "strength": strength}
    heard_as |= {"temperature": temperature}
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
    return Makers.here()


def _files(out: Path, seed: int, count: int, song: Path | None = None) -> list[tuple[Path, int]]:
    """File and seed of each piece. Raises UserError where one would replace the user's own."""
    files = [(out / f"{number:03d}.wav", seed + number) for number in range(count)]
    for path, _ in files:
        require_free(path, song)
    return files


def play(
    label: str | None,
    seconds: float | None,
    seed: int,
    out: Path | None,
    model: str | None,
    temperature: float | None = None,
    orders: Iterable[str] | None = None,
) -> None:
    """Write invented music as a WAV stream to the file `out`, or to standard output, as it goes.

    seconds: None stands for no end, until the listener leaves. orders: lines `label NAME`, `label`
    (any) or `temperature T` that come while it plays, and that it obeys at once. Raises UserError
    for a label or a model that is not there, and for a terminal as standard output.
    """
    if out is None and sys.stdout.isatty():
        raise UserError(
            "sound does not belong on a terminal: add `-o OUT.wav`, or `| ffplay -nodisp -`"
        )
    audio = load(MelConfig, "audio")
    makers = Makers.here()
    frames = None if seconds is None else -(-round(seconds * audio.sample_rate) // audio.hop_length)
    if orders is not None:
        name, player = makers.player(model, label)
        wishes = Wishes(name, player, Wish(label, temperature))
        listen(wishes, orders)
        made = steered(name, player, makers.synthesiser(), seed, wishes)
        # a file is not listened to while it is written
        ahead = AHEAD if out is None else math.inf
        sound: Iterator[Float] = (piece.samples for piece in paced(made, audio.sample_rate, ahead))
    else:
        name, sampler = makers.sampler(model, label)
        sampler = at_temperature(name, sampler, temperature)
        sound = invented(sampler, makers.synthesiser(), seed, label, frames)
    if seconds is not None:
        sound = first_samples(sound, round(seconds * audio.sample_rate))
    try:
        with out.open("wb") if out else os.fdopen(os.dup(1), "wb") as file:
            stream_wav(file, sound, audio.sample_rate)
    except BrokenPipeError:
        return  # the listener has had enough


def listen(wishes: "Wishes", orders: Iterable[str]) -> None:
    """Obey orders from now on, beside what this process does."""
    threading.Thread(target=wishes.follow, args=(orders,), daemon=True).start()


class Wishes:
    """What the listener to a player wants now: the last that was asked for and can be had."""

    def __init__(self, name: str, player: Player, first: Wish) -> None:
        """Raises UserError for a first wish that cannot be had."""
        self.name, self.player = name, player
        self.now = self._possible(first)

    def __call__(self) -> Wish:
        return self.now

    def order(self, line: str) -> None:
        """Obey `label NAME`, `label` or `temperature T`. Raises UserError, and changes nothing."""
        word, _, rest = line.strip().partition(" ")
        if word == "label":
            self.now = self._possible(replace(self.now, label=rest.strip() or None))
        elif word == "temperature":
            self.now = self._possible(replace(self.now, temperature=_temperature(rest)))
        else:
            raise UserError(f"{line.strip()[:40]!r}: say `label NAME` or `temperature T`")

    def follow(self, orders: Iterable[str]) -> None:
        """Obey lines until they end; what cannot be had is said on standard error."""
        for line in orders:
            try:
                if line.strip():
                    self.order(line)
            except UserError as error:
                print(f"melodygan: {error}", file=sys.stderr, flush=True)

    def _possible(self, wish: Wish) -> Wish:
        if wish.label is not None and wish.label not in self.player.labels:
            known = ", ".join(self.player.labels) or "none"
            raise UserError(f"{self.name} knows no label {wish.label} (known: {known})")
        at_temperature(self.name, self.player, wish.temperature)
        return wish


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= HOTTEST:
        raise UserError(f"temperature must be above 0 and at most {HOTTEST:g}, not {text[:20]}")
    return value
