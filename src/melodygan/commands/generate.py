"""`melodygan generate` and `melodygan play`: new music from the trained models."""

import os
import sys
from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.audio.wav import write_wav
from melodygan.generation.makers import Makers
from melodygan.generation.play import first_samples, invented, stream_wav
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load
from melodygan.pipeline.runtime import Runtime
from melodygan.training.device import start_device


def generate(
    label: str | None, seconds: float, seed: int, count: int, out: Path, model: str | None
) -> list[str]:
    """Write `count` invented pieces into the folder `out`, as 000.wav and so on.

    The seeds are `seed` and those after it. label, model: None stands for any. Returns a line for
    each file. Raises UserError for a label, length or model that is not there.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: give the name of a folder for the results")
    audio = load(MelConfig, "audio")
    makers = Makers(audio, start_device(Runtime.read()))
    name, sampler = makers.sampler(model, label)
    samples = round(seconds * audio.sample_rate)
    frames = -(-samples // audio.hop_length)
    lines = []
    for number in range(count):
        path = out / f"{number:03d}.wav"
        sound = invented(sampler, makers.synthesiser(), seed + number, label, frames)
        write_wav(path, first_samples(sound, samples), audio.sample_rate)
        lines.append(f"{path}: {seconds:g} s of {label or 'music'} by {name}, seed {seed + number}")
    return lines


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
    makers = Makers(audio, start_device(Runtime.read()))
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
