"""The `melodygan` command: what a user needs around `dvc repro`.

What each command does with its options is in commands/runs.py.
"""

import argparse
import os
import signal
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from melodygan.commands import runs
from melodygan.pipeline.errors import UserError, mendable

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


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

    for add in (
        _add_pipeline,
        _add_convert,
        _add_generate,
        _add_live,
        _add_looks,
        _add_trainings,
        _add_exchange,
    ):
        add(commands)
    return parser


def _add_pipeline(commands: Commands) -> None:
    command = commands.add_parser("lock", help="resolve data/sources.yaml into its lock file")
    command.set_defaults(run=runs.lock)

    command = commands.add_parser("doctor", help="tell what is missing on this machine")
    command.set_defaults(run=runs.doctor)

    command = commands.add_parser("preset", help="merge presets/NAME.yaml into params.yaml")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=runs.preset)

    command = commands.add_parser("repro", help="like `dvc repro`, ready stages side by side")
    command.add_argument("stages", nargs="*", metavar="STAGE", help="default: all")
    command.add_argument("-j", "--jobs", type=_count, default=2, metavar="N", help="default: 2")
    command.set_defaults(run=runs.repro)

    command = commands.add_parser("prune", help="bound the side caches, clear leaked folders")
    command.add_argument(
        "--max-gb", type=_amount, default=10.0, metavar="G", help="tracks' cache; default: 10"
    )
    command.add_argument(
        "--max-days", type=_amount, default=30.0, metavar="D", help="unused for; default: 30"
    )
    command.set_defaults(run=runs.prune)


def _add_convert(commands: Commands) -> None:
    command = commands.add_parser("convert", help="turn whole songs into another style, or stem")
    command.add_argument("song", type=Path, metavar="SONG", help="a file, or a folder of them")
    command.add_argument(
        "--to", type=_label, required=True, metavar="LABEL", help="the style or stem wanted"
    )
    command.add_argument(
        "--from", type=_label, dest="source", metavar="LABEL", help="the song's own style"
    )
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
    command.set_defaults(run=runs.convert)


def _add_generate(commands: Commands) -> None:
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
    command.set_defaults(run=runs.generate)


def _add_live(commands: Commands) -> None:
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
    command.set_defaults(run=runs.play)

    command = commands.add_parser("app", help="a web page to play with, on this machine")
    command.add_argument("--port", type=_count, default=7860, metavar="PORT", help="default: 7860")
    command.add_argument(
        "--share-host",
        metavar="HOST",
        help="an address of this machine that others may come by, with the token that is printed",
    )
    command.set_defaults(run=runs.app)


def _add_looks(commands: Commands) -> None:
    command = commands.add_parser("check", help="tell which of your files could not be used, why")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    command.set_defaults(run=runs.check)

    command = commands.add_parser("explore", help="walk between a label's clips, or beyond them")
    command.add_argument("--label", type=_label, required=True, metavar="LABEL")
    command.add_argument("--clip", type=int, default=0, metavar="N", help="default: 0")
    command.add_argument("--to", type=int, metavar="N", help="another clip to carry it over to")
    command.add_argument("--blend", type=_share, default=0.5, metavar="S", help="default: 0.5")
    command.add_argument(
        "--move", type=_numbers, default=[], metavar="A,B,...", help="along each direction, in sd"
    )
    command.add_argument("-o", "--out", type=Path, metavar="OUT.wav", help="default: list the ways")
    command.set_defaults(run=runs.explore)


def _add_trainings(commands: Commands) -> None:
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
    command.set_defaults(run=runs.tune)

    command = commands.add_parser("scale", help="tell whether more data or training would help")
    command.add_argument("stage", metavar="STAGE")
    _add_workers(command)
    command.set_defaults(run=runs.scale)

    command = commands.add_parser("report", help="how long each training took, also on the page")
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE.html", help="write a copy of the page with it"
    )
    command.set_defaults(run=runs.report)


def _add_exchange(commands: Commands) -> None:
    command = commands.add_parser("import-vocoder", help="make a public checkpoint models/vocoder")
    command.add_argument("name", metavar="PATH|universal")
    command.add_argument(
        "-o", "--out", type=Path, default=Path("models/vocoder"), help="default: models/vocoder"
    )
    command.set_defaults(run=runs.import_vocoder)

    command = commands.add_parser("pack", help="make a trained model something to share")
    command.add_argument("model", metavar="NAME", help="of a folder in models/")
    command.add_argument("-o", "--out", type=Path, metavar="OUT", help="default: NAME-pack")
    command.add_argument("--zip", action="store_true", help="one file instead of a folder")
    command.set_defaults(run=runs.pack)

    command = commands.add_parser("use", help="check a pack, and install its models")
    command.add_argument("pack", type=Path, metavar="PATH", help="a folder, or a ZIP file")
    command.add_argument("--force", action="store_true", help="replace models that are here")
    command.set_defaults(run=runs.use)

    command = commands.add_parser("export", help="write a model for programs without torch")
    command.add_argument("model", choices=["vocoder"])
    command.add_argument(
        "-o", "--out", type=Path, default=Path("vocoder.onnx"), help="default: vocoder.onnx"
    )
    command.add_argument(
        "--precision",
        choices=["fp32", "fp16"],
        default="fp32",
        help="of the stored weights: fp16 takes half of the space, and as long",
    )
    command.set_defaults(run=runs.export)


def _add_invention(command: argparse.ArgumentParser) -> None:
    command.add_argument("--label", type=_label, metavar="LABEL", help="the style; default: any")
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


def _label(text: str) -> str:
    return unicodedata.normalize("NFC", text)  # as labels are; a Mac's names of files are not


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


if __name__ == "__main__":
    sys.exit(main())
