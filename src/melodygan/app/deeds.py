"""What the page's children do: the functions behind the commands, and what the page says of it.

Each takes the folder of its job, a wish of `app/wishes.py` as a table, in which uploads are paths,
and the line to the page; it returns `said` (lines), `files` (to play and to keep), and what else
its page shows.
"""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from melodygan.app.child import Line
from melodygan.audio.decode import open_audio, probe, to_mono, to_stereo
from melodygan.audio.loudness import LoudnessMeter
from melodygan.audio.mel import MelConfig
from melodygan.audio.pcm import to_int16
from melodygan.audio.wav import write_wav
from melodygan.commands import check as checking
from melodygan.commands import convert as converting
from melodygan.commands import explore as exploring
from melodygan.commands import generate as making
from melodygan.generation.makers import (
    Converter,
    Extractor,
    Makers,
    Player,
    Sampler,
    Tempered,
    Varier,
)
from melodygan.generation.play import paced, steered
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load

LONGEST = 20 * 60.0  # s of a song that is worked on
AHEAD = 1.1  # s that live music is made before it is heard
_SPEED = 6.0  # s of sound over which its speed is measured

Table = dict[str, Any]


@cache
def makers() -> Makers:
    """The trained models, loaded once: the page ends this process when they change."""
    return Makers.here()


def inventory() -> Table:
    """What the trained models can be asked for. Raises UserError where there are none."""
    models, able = makers(), makers().able
    if not models.models:
        raise UserError(
            "there are no trained models here yet: run `dvc repro`, or start it in Train"
        )
    sampling: list[Table] = [
        {
            "name": name,
            "labels": list(model.labels),
            "endless": isinstance(model, Player),
            "tempered": isinstance(model, Tempered),
            "varies": isinstance(model, Varier),
        }
        for name, model in (able(Player) | able(Sampler)).items()
    ]
    directions = [
        {"model": name, "from": source, "to": target, "stem": isinstance(model, Extractor)}
        for name, model in able(Converter).items()
        for source, target in model.directions
    ]
    audio = load(MelConfig, "audio")
    labels = sorted({label for model in sampling for label in model["labels"]})
    return {
        "samplers": sampling,
        "directions": directions,
        "labels": labels,
        "rate": audio.sample_rate,
        "models": sorted(models.models),
    }


def generate(folder: Path, wish: Table, line: Line) -> Table:
    """`melodygan generate`, also with --continue or --variation."""
    out = folder / "out"
    drawn = (wish["seed"], wish["count"], out, wish["model"])
    label, heat = wish["label"], wish["temperature"]
    if wish["song"] is None:
        lines = making.generate(label, wish["seconds"], *drawn, heat)
    elif wish["how"] == "continue":
        song = _song(wish["song"])
        lines = making.go_on(song, label, wish["seconds"] or making.SECONDS, *drawn, heat)
    else:
        song, keep = _song(wish["song"]), bool(wish["keep_vocals"])
        strength = making.STRENGTH if wish["strength"] is None else wish["strength"]
        lines = making.vary(song, strength, label, *drawn, keep, heat)
    files = [{"file": f"out/{n:03d}.wav", "title": _title(lines[n])} for n in range(wish["count"])]
    return {"said": [_title(text) for text in lines], "files": files}


def convert(folder: Path, wish: Table, line: Line) -> Table:
    """`melodygan convert`, and the song itself as loud as the result, to compare."""
    song, out = _song(wish["song"]), folder / "out/after.wav"
    said = converting.convert(
        song, wish["source"], wish["target"], out, wish["strength"], wish["keep_vocals"]
    )
    level = write_before(song, out, folder / "out/before.wav")
    return {
        "said": [_title(said)],
        "files": [
            {"file": "out/before.wav", "title": "before"},
            {"file": "out/after.wav", "title": f"after: {wish['target']}"},
        ],
        "level": None if level is None else round(level, 1),
    }


def write_before(song: Path, result: Path, out: Path) -> float | None:
    """Write a song as WAV at the loudness of what was made of it; that loudness in LUFS.

    Both are measured as the mean of their channels. None: one of them is silent, or the song would
    clip at that level and is softer.
    """
    wanted, found = _loudness(result), _loudness(song)
    known = bool(np.isfinite(wanted) and np.isfinite(found))
    gain = np.float32(10 ** ((wanted - found) / 20) if known else 1.0)
    stream = open_audio(song)
    peak = write_wav(out, (to_stereo(block) * gain for block in stream.blocks), stream.rate, 2)
    return wanted if known and peak <= 1 else None


def _loudness(path: Path) -> float:
    stream = open_audio(path)
    meter = LoudnessMeter(stream.rate)
    for block in stream.blocks:
        meter.add(to_mono(block))
    return meter.loudness()


def explore(folder: Path, wish: Table, line: Line) -> Table:
    """`melodygan explore`: a walk from one clip; with the ways that there are."""
    line.tell("finding directions", 0.0)
    found = exploring.space(makers(), wish["label"])
    walk = wish["clip"], wish["other"], wish["blend"], wish["moves"]
    mel = found.clip(*walk)
    line.tell("synthesising", 0.5)
    out = folder / "out/walk.wav"
    write_wav(out, [makers().synthesiser().synthesise(mel)], makers_rate())
    ways = [{"share": round(way.share, 4), "words": way.words} for way in _ways(wish["label"])]
    said = exploring.said(found, *walk)
    files = [{"file": "out/walk.wav", "title": said}]
    return {"said": [said], "files": files, "directions": ways, "clips": found.names}


@cache
def _ways(label: str) -> list[Any]:
    return exploring.space(makers(), label).directions()


def makers_rate() -> int:
    """Hz."""
    return load(MelConfig, "audio").sample_rate


def check(folder: Path, wish: Table, line: Line) -> Table:
    """`melodygan check`."""
    if wish["folder"] is None:
        files = [(song["name"], Path(song["path"])) for song in wish["songs"]]
    else:
        files = checking.named([Path(wish["folder"]).expanduser()])
    rows = checking.verdicts(files)
    fine = sum("rejected" not in row for row in rows)
    return {"said": [f"{fine} of {len(rows)} files can be used"], "files": [], "rows": rows}


def live(folder: Path, wish: Table, line: Line) -> Table:
    """`melodygan play --steer`, in small pieces of 16 bit samples, until it is told to stop."""
    name, player = makers().player(wish["model"], wish["label"])
    wishes = making.Wishes(name, player, making.Wish(wish["label"], wish["temperature"]))
    making.listen(wishes, line.orders())
    rate = makers_rate()
    sound = steered(name, player, makers().synthesiser(), wish["seed"], wishes)
    made, busy, begun = 0.0, 0.0, time.monotonic()
    for piece in paced(sound, rate, AHEAD):
        now = time.monotonic()
        seconds = len(piece.samples) / rate
        fade = max(0.0, 1 - seconds / _SPEED)
        made, busy = fade * made + seconds, fade * busy + piece.busy
        speed = round(made / max(busy, 1e-6), 2)
        told = {"at": round(now - begun, 3), "speed": speed, "label": wishes.now.label}
        line.say(told, to_int16(np.clip(piece.samples, -1, 1)).tobytes())
        if line.stopped.is_set():
            break
    return {"said": [], "files": []}


def _song(upload: Table) -> Path:
    """An upload's path. Raises UserError for one that is no audio, or too long."""
    path = Path(upload["path"])
    seconds = probe(path)
    if seconds > LONGEST:
        minutes = f"{seconds / 60:.0f} min"
        raise UserError(
            f"{upload['name']}: {minutes}: the page takes songs of up to {LONGEST / 60:g} min: use "
            "the command line for longer ones"
        )
    return path


def _title(text: str) -> str:
    """What a command says of a file, without the file's name."""
    return text.partition(": ")[2] or text


DEEDS: dict[str, Callable[[Path, Table, Line], Table]] = {
    "generate": generate,
    "convert": convert,
    "explore": explore,
    "check": check,
    "live": live,
}
