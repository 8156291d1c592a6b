"""What each command of `melodygan` does with its options; they return its exit status.

Its code is imported when it runs, so that `melodygan --help` answers at once.
"""

import argparse
import sys
from pathlib import Path

from melodygan.pipeline.errors import UserError


def lock(options: argparse.Namespace) -> int:
    from melodygan.sources.lock import lock

    print(lock(Path("data/sources.yaml"), Path("data/sources.lock.yaml")))
    return 0


def doctor(options: argparse.Namespace) -> int:
    from melodygan.commands.doctor import doctor

    return doctor()


def preset(options: argparse.Namespace) -> int:
    from melodygan.commands.preset import apply_preset

    changes = apply_preset(options.name, Path("presets"), Path("params.yaml"))
    print("\n".join(changes) or f"params.yaml already has the values of preset {options.name}")
    return 0


def repro(options: argparse.Namespace) -> int:
    import signal

    from melodygan.commands.repro import repro

    # by default Python would leave without stopping the stages
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    repro(options.stages, options.jobs)
    return 0


def prune(options: argparse.Namespace) -> int:
    from melodygan.commands.prune import prune

    freed = prune(int(options.max_gb * 1e9), options.max_days * 86400)
    print(f"{freed:,} bytes freed")
    return 0


def convert(options: argparse.Namespace) -> int:
    from melodygan.commands.convert import convert

    settings = options.strength, options.keep_vocals
    print(convert(options.song, options.source, options.to, options.out, *settings))
    return 0


def report(options: argparse.Namespace) -> int:
    from melodygan.commands.report import report

    print("\n".join(report(options.out)))
    return 0


def import_vocoder(options: argparse.Namespace) -> int:
    from melodygan.commands.import_vocoder import import_vocoder

    print(import_vocoder(options.name, options.out))
    return 0


def pack(options: argparse.Namespace) -> int:
    from melodygan.commands.pack import pack

    print("\n".join(pack(options.model, options.out, options.zip)))
    return 0


def use(options: argparse.Namespace) -> int:
    from melodygan.commands.use import use

    print("\n".join(use(options.pack, options.force)))
    return 0


def export(options: argparse.Namespace) -> int:
    from melodygan.commands.export import export_vocoder

    print(export_vocoder(options.out, options.precision))
    return 0


def generate(options: argparse.Namespace) -> int:
    from melodygan.commands import generate as make

    if options.recipe:
        return _make_again(options)
    if options.song:
        raise UserError("--song goes with --recipe FILE.wav: add it")
    if options.out is None:
        raise UserError("generate: say where the results belong: add -o FOLDER")
    seconds = make.SECONDS if options.seconds is None else options.seconds
    drawn = options.seed or 0, options.count or 1, options.out, options.model
    heat = options.temperature
    varied = (options.strength is not None, options.keep_vocals)
    if options.variation:
        if options.seconds is not None:
            raise UserError("--seconds: a variation is as long as its song: leave it out")
        strength = make.STRENGTH if options.strength is None else options.strength
        song = options.variation
        lines = make.vary(song, strength, options.label, *drawn, options.keep_vocals, heat)
    elif any(varied):
        raise UserError("--strength and --keep-vocals go with --variation SONG: add it")
    elif options.after:
        lines = make.go_on(options.after, options.label, seconds, *drawn, heat)
    else:
        lines = make.generate(options.label, options.seconds, *drawn, heat)
    print("\n".join(lines))
    return 0


def _make_again(options: argparse.Namespace) -> int:
    from melodygan.commands.again import make_again

    names = (
        "label",
        "model",
        "seed",
        "seconds",
        "after",
        "variation",
        "strength",
        "count",
        "temperature",
    )
    given = [name for name in names if getattr(options, name) is not None]
    if given or options.keep_vocals:
        raise UserError("--recipe says all that there is to say: leave all out but --song and -o")
    print(make_again(options.recipe, options.song, options.out))
    return 0


def play(options: argparse.Namespace) -> int:
    from melodygan.commands.generate import play

    orders = sys.stdin if options.steer else None
    chosen = options.out, options.model, options.temperature
    play(options.label, options.seconds, options.seed or 0, *chosen, orders)
    return 0


def app(options: argparse.Namespace) -> int:
    from melodygan.app.start import start

    start(options.port, options.share_host)
    return 0


def check(options: argparse.Namespace) -> int:
    from melodygan.commands.check import check

    lines, rejected = check(options.paths)
    print("\n".join(lines))
    return 1 if rejected else 0


def explore(options: argparse.Namespace) -> int:
    from melodygan.commands.explore import explore

    walk = options.clip, options.to, options.blend, options.move
    print("\n".join(explore(options.label, *walk, options.out)))
    return 0


def tune(options: argparse.Namespace) -> int:
    from melodygan.commands.tune import tune

    trials = None if options.minutes else options.trials
    among = options.workers, options.storage, options.objectives
    tune(options.stage, trials, options.minutes, *among, options.experiment)
    return 0


def scale(options: argparse.Namespace) -> int:
    from melodygan.commands.scale import scale

    scale(options.stage, options.workers, options.storage)
    return 0
