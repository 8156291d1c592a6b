"""`melodygan doctor`: what is missing on this machine, one line each, with the remedy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import as_written, read_json
from melodygan.pipeline.guard import require_inside, stage_table
from melodygan.pipeline.runtime import Runtime

_WITH_LIBRARIES = ("torch", "torchaudio", "onnxruntime", "soundfile", "av")
_FEW_TEST_TRACKS = 4  # of a label: fewer show next to no difference
_WIDTH = 0.1  # of an interval of order_auc that shows most differences
_SHOWN = 10  # rejected tracks; the rest is in metrics/preprocess.json


@dataclass(frozen=True)
class Finding:
    """One line of the report; FAIL means that `dvc repro` cannot work."""

    level: Literal["OK", "WARN", "FAIL"]
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:<5} {self.subject:<10} {self.text}"


def doctor() -> int:
    """Print all findings about this machine and the repository in the working directory.

    Returns 1 if something must be mended before `dvc repro` can work, else 0.
    """
    failed = False
    for subject, check in CHECKS.items():
        try:
            for finding in check():
                failed = failed or finding.level == "FAIL"
                print(finding, flush=True)
        except UserError as error:
            failed = True
            print(Finding("FAIL", subject, str(error)), flush=True)
    return int(failed)


def check_python() -> Iterator[Finding]:
    """The version that the pinned packages are made for."""
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        yield Finding("OK", "python", found)
    else:
        yield Finding("FAIL", "python", f"{found}, needs 3.11 or 3.12: `uv sync --python 3.11`")


def check_packages() -> Iterator[Finding]:
    """Every pinned package has its version, and those with compiled libraries load."""
    pins = [line for line in requires("melodygan") or [] if ";" not in line]
    findings = [*_versions(pins), *_loading()]
    if not findings:
        findings = [Finding("OK", "packages", f"{len(pins)} as pinned, compiled ones load")]
    yield from findings


def _versions(pins: list[str]) -> Iterator[Finding]:
    for pin in pins:
        name, _, wanted = pin.partition("==")
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            yield Finding("FAIL", "packages", f"{name} is missing: `uv sync`")
            continue
        if found != wanted:
            yield Finding("WARN", "packages", f"{name} {found}, not {wanted}: `uv sync`")


def _loading() -> Iterator[Finding]:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else onnxruntime leaves an id of the device
    for name in _WITH_LIBRARIES:
        try:
            import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            words = " ".join(str(error).split())
            yield Finding("FAIL", "packages", f"{name} does not load ({words}): `uv sync`")


def check_starts() -> Iterator[Finding]:
    """Whether Python keeps what it compiles; torch takes seconds at every start if not."""
    from melodygan.commands.starts import slow_starts

    trouble = slow_starts()
    yield Finding("WARN", "starts", trouble) if trouble else Finding("OK", "starts", "fast")


def check_ffmpeg() -> Iterator[Finding]:
    """The program that audio-separator starts; the one of imageio-ffmpeg is used."""
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        told = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        text = f"imageio-ffmpeg's program does not run ({error}): `uv sync --reinstall`"
        yield Finding("FAIL", "ffmpeg", text)
    else:
        yield Finding("OK", "ffmpeg", " ".join(told.stdout.split()[:3]))


def check_gpu() -> Iterator[Finding]:
    """What `runtime.device` will come to."""
    try:
        import torch
    except (ImportError, OSError):
        return  # check_packages has told
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        memory = torch.cuda.get_device_properties(0).total_memory
        yield Finding("OK", "gpu", f"{name}, {memory / 2**30:.0f} GiB")
    elif Runtime.read().device == "cuda":
        text = "none, but params.yaml asks for runtime.device cuda: set it to auto"
        yield Finding("FAIL", "gpu", text)
    else:
        text = "none: training runs on the CPU, which is enough for the demo's sizes"
        yield Finding("WARN", "gpu", text)


def check_javascript() -> Iterator[Finding]:
    """YouTube makes yt-dlp run its scripts; deno is what yt-dlp looks for."""
    if shutil.which("deno") or (Path(sys.executable).parent / "deno").exists():
        yield Finding("OK", "javascript", "deno")
    else:
        text = "no deno: only YouTube links need it: `uv sync --extra youtube`"
        yield Finding("WARN", "javascript", text)


def check_disk() -> Iterator[Finding]:
    """Room for the pipeline's outputs, of which DVC's cache keeps a copy, in this repository."""
    if Path("dvc.yaml").exists():
        require_inside()
    places = map(Path, (".", ".cache", ".dvc", "data", "metrics", "models"))
    for place in [p for p in places if p.is_dir() and not os.access(p, os.W_OK | os.X_OK)]:
        text = f"{place.resolve()} is not yours to write to: give your user the right to"
        yield Finding("FAIL", "disk", text)
    free = shutil.disk_usage(".").free / 1e9
    text = f"{free:.1f} GB free"
    if free < 1:
        yield Finding(
            "FAIL", "disk", f"{text}, the demo needs 1 GB: `melodygan prune`, `dvc gc -w`"
        )
    elif free < 10:
        text += ", little for own music (about 0.2 GB a song): `melodygan prune`, `dvc gc -w`"
        yield Finding("WARN", "disk", text)
    else:
        yield Finding("OK", "disk", text)


def check_git() -> Iterator[Finding]:
    """The repository, and the name under which `dvc exp` commits what it made."""
    here = Path.cwd()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        yield _without_git()
        return
    try:
        inside = _git("rev-parse", "--git-dir")
    except FileNotFoundError:
        yield Finding("WARN", "git", "not installed: experiments and `metrics diff` need it")
        return
    names = {f"user.{key}": _git("config", f"user.{key}") for key in ("name", "email")}
    missing = [key for key, value in names.items() if not value]
    if not inside:
        yield Finding("WARN", "git", "does not read this repository: `git status` says why")
    elif missing:
        settings = " and ".join(f"`git config --global {key} ...`" for key in missing)
        yield Finding("WARN", "git", f"no {' and '.join(missing)}: `dvc exp run` fails: {settings}")
    else:
        yield Finding("OK", "git", f"{names['user.name']} <{names['user.email']}>")


def _without_git() -> Finding:
    """Of a checkout that came as an archive: DVC does nothing until it is told."""
    from melodygan.pipeline.recorded import dvc_setting

    if dvc_setting("core", "no_scm", "false").lower() == "true":
        text = "none here, as core.no_scm says: no experiments, no `metrics diff`"
        return Finding("WARN", "git", text)
    text = (
        "no repository here, and so DVC does nothing: `git init`, or `dvc config --local "
        "core.no_scm true` to do without experiments and `metrics diff`"
    )
    return Finding("FAIL", "git", text)


def _git(*arguments: str) -> str:
    """What a git command prints; nothing where it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def check_settings() -> Iterator[Finding]:
    """params.yaml, before the first stage reads it."""
    from melodygan.commands.groups import check_params, has_pairs

    values = check_params(Path("params.yaml"))
    yield Finding("OK", "params", f"seed and {len(values)} groups")
    yield from _undeclared(values["vocoder"])
    if not has_pairs(values):
        task = values["pix2pix"].task
        text = f"pix2pix will learn nothing: it needs separate.enabled, and mix and {task} "
        yield Finding("WARN", "params", text + "in preprocess.stems")


def _undeclared(vocoder: Any) -> Iterator[Finding]:
    """Folders that the vocoder is told to read, but that dvc.yaml does not let it."""
    models = [] if vocoder.hears == "truth" else [f"models/{vocoder.hears}"]
    models += [] if vocoder.init in ("shipped", "scratch") else [vocoder.init]
    for model in models:
        if model not in stage_table("vocoder").get("deps", []):
            text = f"vocoder needs {model}: add it to stages.vocoder.deps in dvc.yaml"
            yield Finding("FAIL", "params", text + " (docs/generators.md)")


def check_sources() -> Iterator[Finding]:
    """The sources and their lock file fit together, and the settings to both."""
    from melodygan.commands.groups import check_params, complaints_about
    from melodygan.sources.config import read_sources, sources_digest
    from melodygan.sources.lockfile import read_lock

    sources, lock_file = Path("data/sources.yaml"), Path("data/sources.lock.yaml")
    entries, lock = read_sources(sources), read_lock(lock_file)
    if lock.sources_sha256 != sources_digest(entries):
        text = f"{lock_file} was made from another {sources}: `melodygan lock`"
        yield Finding("FAIL", "sources", text)
    elif not lock.whole:
        text = f"{lock_file} is not as it was written: restore it, or `melodygan lock`"
        yield Finding("FAIL", "sources", text)
    else:
        yield Finding("OK", "sources", f"{len(lock.tracks)} tracks locked")
        try:
            values = check_params(Path("params.yaml"))
        except UserError:
            return  # check_settings has told
        for text in complaints_about(lock.tracks, values):
            yield Finding("FAIL", "sources", text)


def check_data() -> Iterator[Finding]:
    """What the last `dvc repro` made of the sources."""
    report = Path("metrics/preprocess.json")
    if not report.exists():
        yield Finding("WARN", "data", "not prepared yet: `dvc repro`")
        return
    told = read_json(report)
    with as_written(report):
        yield from _prepared(told, report)


def _prepared(told: Any, report: Path) -> Iterator[Finding]:
    """What `report` tells of the tracks."""
    labels = [f"{label} {sum(splits.values())}" for label, splits in told["labels"].items()]
    tracks = f"{told['tracks']['accepted']} tracks ({', '.join(labels)})"
    yield Finding("OK", "data", f"{tracks}, {told['minutes']['total']:.1f} minutes")
    if len(labels) < 2:
        yield Finding("WARN", "data", "one label only: style conversion needs two")
    few = [name for name, splits in told["labels"].items() if splits["test"] < _FEW_TEST_TRACKS]
    if few:
        text = f"fewer than {_FEW_TEST_TRACKS} test tracks of {', '.join(few)}: scores of single "
        yield Finding("WARN", "data", f"{text}labels will show few differences")
    yield from _intervals(sum(splits["test"] for splits in told["labels"].values()))
    for reject in told["rejects"][:_SHOWN]:
        yield Finding("WARN", "data", f"rejected {reject['file']}: {reject['reason']}")
    if len(told["rejects"]) > _SHOWN:
        yield Finding("WARN", "data", f"{len(told['rejects']) - _SHOWN} more rejected: {report}")


def _intervals(tracks: int) -> Iterator[Finding]:
    """How many test tracks would make scores of invented sound exact, where some were judged."""
    from melodygan.scores.intervals import tracks_needed

    scores = Path("metrics/evaluate/scores.json")
    if not scores.exists():
        return
    told = read_json(scores)
    with as_written(scores):
        for model, kinds in told.items():
            interval = kinds.get("sample", {}).get("order_auc", {}).get("floor_interval")
            needed = tracks_needed(interval, tracks, _WIDTH)
            if needed is not None and needed > tracks:
                width = f"{interval[1] - interval[0]:.2f} on {tracks} test tracks"
                text = f"order_auc of real music has an interval of {width} ({model})"
                yield Finding("WARN", "data", f"{text}: {needed} would make it {_WIDTH}")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "python": check_python,
    "packages": check_packages,
    "starts": check_starts,
    "ffmpeg": check_ffmpeg,
    "gpu": check_gpu,
    "javascript": check_javascript,
    "disk": check_disk,
    "git": check_git,
    "params": check_settings,
    "sources": check_sources,
    "data": check_data,
}
