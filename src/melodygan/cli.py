"""The `melodygan` command: what a user needs around `dvc repro`.

Each command's code is imported when it runs, so that `melodygan --help` answers at once.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from melodygan.pipeline.errors import UserError, mendable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in the repository's root folder; return the exit status.

    UserError becomes one line on standard error and status 1.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # until here, by melodygan_dvc.pth
        signal.signal(signal.SIGINT, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    # torch's threads that spin while they wait make a busy machine many times as slow
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        if not Path("params.yaml").is_file():
            raise UserError("no params.yaml here: run this in the repository's root folder")
        status: int = options.run(options)
    except Exception as error:
        line = mendable(error)
        if line is None:
            raise
        print(f"melodygan: {line}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # as a shell reports an interrupt
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="melodygan", description="Commands around the pipeline that `dvc repro` runs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("lock", help="resolve data/sources.yaml into its lock file")
    command.set_defaults(run=_lock)

    command = commands.add_parser("doctor", help="tell what is missing on this machine")
    command.set_defaults(run=_doctor)

    command = commands.add_parser("preset", help="merge presets/NAME.yaml into params.yaml")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_preset)

    command = commands.add_parser("repro", help="like `dvc repro`, ready stages side by side")
    command.add_argument("stages", nargs="*", metavar="STAGE", help="default: all")
    command.add_argument("-j", "--jobs", type=_count, default=2, metavar="N", help="default: 2")
    command.set_defaults(run=_repro)

    command = commands.add_parser("prune", help="bound the side caches, clear leaked folders")
    command.add_argument(
        "--max-gb", type=_amount, default=10.0, metavar="G", help="tracks' cache; default: 10"
    )
    command.add_argument(
        "--max-days", type=_amount, default=30.0, metavar="D", help="unused for; default: 30"
    )
    command.set_defaults(run=_prune)

    command = commands.add_parser("convert", help="turn whole songs into another style, or stem")
    command.add_argument("song", type=Path, metavar="SONG", help="a file, or a folder of them")
    command.add_argument("--to", required=True, metavar="LABEL", help="the style or stem wanted")
    command.add_argument("--from", dest="source", metavar="LABEL", help="the song's own style")
    command.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT", help="a WAV file, or a folder"
    )
    command.add_argument(
        "--strength",
        type=_share,
        default=1.0,
        metavar="S",
        help="from 0, the source, to 1 (default)",
    )
    command.add_argument(
        "--keep-vocals", action="store_true", help="lay the song's vocals over the result"
    )
    command.set_defaults(run=_convert)

    command = commands.add_parser("generate", help="invent new pieces of music")
    _add_invention(command)
    command.add_argument(
        "--seconds",
        type=_length,
        metavar="S",
        help="of new music in each; default: 30, or the length of a model's clips",
    )
    given = command.add_mutually_exclusive_group()
    given.add_argument(
        "--continue", dest="after", type=Path, metavar="SONG", help="go on from this file's end"
    )
    given.add_argument(
        "--variation", type=Path, metavar="SONG", help="play this file otherwise, as long as it is"
    )
    command.add_argument(
        "--strength",
        type=_share,
        metavar="S",
        help="of a variation: from 0, the song, to 1, music of its own; default: 0.5",
    )
    command.add_argument(
        "--keep-vocals", action="store_true", help="lay the song's vocals over a variation"
    )
    command.add_argument("-n", dest="count", type=_count, metavar="N", help="default: 1")
    command.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="or the file, see below")
    again = command.add_argument_group("to make a file once more")
    again.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE.wav",
        help="by the recipe inside it; -o: a WAV file, by default FILE-again.wav",
    )
    again.add_argument("--song", type=Path, metavar="SONG", help="the song that it was made from")
    command.set_defaults(run=_generate)

    command = commands.add_parser("play", help="invent music as a WAV stream, without end")
    _add_invention(command)
    command.add_argument("--seconds", type=_length, metavar="S", help="default: no end")
    command.add_argument(
        "--steer",
        action="store_true",
        help="obey lines on standard input while it plays: `label NAME`, `temperature T`",
    )
    command.add_argument(
        "-o", "--out", type=Path, metavar="OUT.wav", help="default: standard output"
    )
    command.set_defaults(run=_play)

    command = commands.add_parser("app", help="a web page to play with, on this machine")
    command.add_argument("--port", type=_count, default=7860, metavar="PORT", help="default: 7860")
    command.add_argument(
        "--share-host",
        metavar="HOST",
        help="an address of this machine that others may come by, with the token that is printed",
    )
    command.set_defaults(run=_app)

    command = commands.add_parser("check", help="tell which of your files could not be used, why")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    command.set_defaults(run=_check)

    command = commands.add_parser("explore", help="walk between a label's clips, or beyond them")
    command.add_argument("--label", required=True, metavar="LABEL")
    command.add_argument("--clip", type=int, default=0, metavar="N", help="default: 0")
    command.add_argument("--to", type=int, metavar="N", help="another clip to carry it over to")
    command.add_argument("--blend", type=_share, default=0.5, metavar="S", help="default: 0.5")
    command.add_argument(
        "--move", type=_numbers, default=[], metavar="A,B,...", help="along each direction, in sd"
    )
    command.add_argument("-o", "--out", type=Path, metavar="OUT.wav", help="default: list the ways")
    command.set_defaults(run=_explore)

    command = commands.add_parser("tune", help="search a stage's params by its validation score")
    command.add_argument("stage", metavar="STAGE")
    limit = command.add_mutually_exclusive_group()
    limit.add_argument("--trials", type=_count, default=20, metavar="N", help="default: 20")
    limit.add_argument("--minutes", type=_length, metavar="M", help="instead: end after so long")
    _add_workers(command)
    command.add_argument(
        "--objectives", metavar="A,B:max", help="scores, or minutes; default: the stage's score"
    )
    command.add_argument(
        "--experiment", action="store_true", help="keep the best by dvc exp run, not in params.yaml"
    )
    command.set_defaults(run=_tune)

    command = commands.add_parser("scale", help="tell whether more data or training would help")
    command.add_argument("stage", metavar="STAGE")
    _add_workers(command)
    command.set_defaults(run=_scale)

    command = commands.add_parser("report", help="how long each training took, also on the page")
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE.html", help="write a copy of the page with it"
    )
    command.set_defaults(run=_report)

    command = commands.add_parser("import-vocoder", help="make a public checkpoint models/vocoder")
    command.add_argument("name", metavar="PATH|universal")
    command.add_argument(
        "-o", "--out", type=Path, default=Path("models/vocoder"), help="default: models/vocoder"
    )
    command.set_defaults(run=_import_vocoder)

    command = commands.add_parser("pack", help="make a trained model something to share")
    command.add_argument("model", metavar="NAME", help="of a folder in models/")
    command.add_argument("-o", "--out", type=Path, metavar="OUT", help="default: NAME-pack")
    command.add_argument("--zip", action="store_true", help="one file instead of a folder")
    command.set_defaults(run=_pack)

    command = commands.add_parser("use", help="check a pack, and install its models")
    command.add_argument("pack", type=Path, metavar="PATH", help="a folder, or a ZIP file")
    command.add_argument("--force", action="store_true", help="replace models that are here")
    command.set_defaults(run=_use)

    command = commands.add_parser("export", help="write a model for programs without torch")
    command.add_argument("model", choices=["vocoder"])
    command.add_argument(
        "-o", "--out", type=Path, default=Path("vocoder.onnx"), help="default: vocoder.onnx"
    )
    command.set_defaults(run=_export)
    return parser


def _add_invention(command: argparse.ArgumentParser) -> None:
    command.add_argument("--label", metavar="LABEL", help="the style; default: any")
    command.add_argument("--model", metavar="NAME", help="default: the first that fits")
    command.add_argument("--seed", type=_seed, metavar="SEED", help="default: 0")
    command.add_argument(
        "--temperature",
        type=_heat,
        metavar="T",
        help="below 1 more usual, above it bolder; default: the model's own",
    )


def _add_workers(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-j", dest="workers", type=_count, default=1, metavar="WORKERS", help="default: 1"
    )
    command.add_argument(
        "--storage", metavar="URL", help="database, or a journal's path; default: .cache/tune"
    )


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1 << 32:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2**32 - 1, not {text}")
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not value >= 0:  # false for NaN too
        raise argparse.ArgumentTypeError(f"must be at least 0, not {text}")
    return value


def _length(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"must be above 0 and below a million, not {text}")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, not {text}")
    return value


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _heat(text: str) -> float:
    value = float(text)
    if not 0 < value <= 10:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 10, not {text}")
    return value


def _lock(options: argparse.Namespace) -> int:
    from melodygan.sources.lock import lock

    print(lock(Path("data/sources.yaml"), Path("data/sources.lock.yaml")))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from melodygan.commands.doctor import doctor

    return doctor()


def _preset(options: argparse.Namespace) -> int:
    from melodygan.commands.preset import apply_preset

    changes = apply_preset(options.name, Path("presets"), Path("params.yaml"))
    print("\n".join(changes) or f"params.yaml already has the values of preset {options.name}")
    return 0


def _repro(options: argparse.Namespace) -> int:
    import signal

    from melodygan.commands.repro import repro

    # by default Python would leave without stopping the stages
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    repro(options.stages, options.jobs)
    return 0


def _prune(options: argparse.Namespace) -> int:
    from melodygan.commands.prune import prune

    freed = prune(int(options.max_gb * 1e9), options.max_days * 86400)
    print(f"{freed:,} bytes freed")
    return 0


def _convert(options: argparse.Namespace) -> int:
    from melodygan.commands.convert import convert

    settings = options.strength, options.keep_vocals
    print(convert(options.song, options.source, options.to, options.out, *settings))
    return 0


def _report(options: argparse.Namespace) -> int:
    from melodygan.commands.report import report

    print("\n".join(report(options.out)))
    return 0


def _import_vocoder(options: argparse.Namespace) -> int:
    from melodygan.commands.import_vocoder import import_vocoder

    print(import_vocoder(options.name, options.out))
    return 0


def _pack(options: argparse.Namespace) -> int:
    from melodygan.commands.pack import pack

    print("\n".join(pack(options.model, options.out, options.zip)))
    return 0


def _use(options: argparse.Namespace) -> int:
    from melodygan.commands.use import use

    print("\n".join(use(options.pack, options.force)))
    return 0


def _export(options: argparse.Namespace) -> int:
    from melodygan.commands.export import export_vocoder

    print(export_vocoder(options.out))
    return 0


def _generate(options: argparse.Namespace) -> int:
    from melodygan.commands import generate as make

    if options.recipe:
        return _make_again(options)
    if options.song:
        raise UserError("--song goes with --recipe FILE.wav: add it")
    if options.out is None:
        raise UserError("generate: say where the results belong: add -o FOLDER")
    seconds = 30.0 if options.seconds is None else options.seconds
    drawn = options.seed or 0, options.count or 1, options.out, options.model
    heat = options.temperature
    varied = (options.strength is not None, options.keep_vocals)
    if options.variation:
        if options.seconds is not None:
            raise UserError("--seconds: a variation is as long as its song: leave it out")
        strength = 0.5 if options.strength is None else options.strength
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
    given = [name for name in (*names, "temperature") if getattr(options, name) is not None]
    if given or options.keep_vocals:
        raise UserError("--recipe says all that there is to say: leave all out but --song and -o")
    print(make_again(options.recipe, options.song, options.out))
    return 0


def _play(options: argparse.Namespace) -> int:
    from melodygan.commands.generate import play

    orders = sys.stdin if options.steer else None
    chosen = options.out, options.model, options.temperature
    play(options.label, options.seconds, options.seed or 0, *chosen, orders)
    return 0


def _app(options: argparse.Namespace) -> int:
    from melodygan.app.start import start

    start(options.port, options.share_host)
    return 0


def _check(options: argparse.Namespace) -> int:
    from melodygan.commands.check import check

    lines, rejected = check(options.paths)
    print("\n".join(lines))
    return 1 if rejected else 0


def _explore(options: argparse.Namespace) -> int:
    from melodygan.commands.explore import explore

    walk = options.clip, options.to, options.blend, options.move
    print("\n".join(explore(options.label, *walk, options.out)))
    return 0


def _tune(options: argparse.Namespace) -> int:
    from melodygan.commands.tune import tune

    trials = None if options.minutes else options.trials
    among = options.workers, options.storage, options.objectives
    tune(options.stage, trials, options.minutes, *among, options.experiment)
    return 0


def _scale(options: argparse.Namespace) -> int:
    from melodygan.commands.scale import scale

    scale(options.stage, options.workers, options.storage)
    return 0


if __name__ == "__main__":
    sys.exit(main())
