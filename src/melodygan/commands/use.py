"""`melodygan use PATH`: a pack's models, checked, into models/."""

import shutil
import tempfile
from pathlib import Path

import torch

from melodygan.audio.mel import MelConfig
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.generation.makers import load_maker
from melodygan.generation.recipe import weights_sha256
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.guard import stage_table
from melodygan.pipeline.params import load
from melodygan.sharing.manifest import NAMES, Manifest, Opener, opened, read_manifest, take

MODELS = Path("models")
_SPARE = 1 << 20  # bytes


def use(path: Path, force: bool) -> list[str]:
    """Install the models of the pack `path`, a folder or a ZIP file; return lines about them.

    All of them or none. Raises UserError for a pack that is damaged, tampered with, of another mel
    convention, or of models that this version does not know or cannot load, and unless `force` for
    one that would replace other models.
    """
    MODELS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=MODELS, prefix=".use-") as temporary:
        staging = Path(temporary)
        with opened(path) as files:
            manifest = read_manifest(path, files)
            _require_fitting(path, manifest)
            _fetch(path, files, manifest, staging)
        _require_loading(path, manifest, staging)
        others = [name for name in manifest.models if not _same(staging, name)]
        replaced = [f"models/{name}" for name in others if (MODELS / name).exists()]
        if replaced and not force:
            raise UserError(
                f"{path} would replace {', '.join(replaced)}, and what was trained on these would "
                "no longer fit: add --force (`dvc checkout` brings back what `dvc repro` made)"
            )
        _swap(staging, others)
    lines = [
        f"models/{name}: {'from' if name in others else 'was there already as in'} {path}"
        for name in manifest.models
    ]
    keep = " ".join(manifest.models)
    return [
        *lines,
        *_heard_otherwise(manifest),
        f"packed by melodygan {manifest.melodygan}; `dvc repro` would train these again on the "
        f"music here: `dvc freeze {keep}` keeps them",
    ]


def _require_fitting(path: Path, manifest: Manifest) -> None:
    mine, theirs = load(MelConfig, "audio").as_dict(), manifest.audio.as_dict()
    if mine != theirs:
        keys = [key for key in mine if mine[key] != theirs[key]]
        there = ", ".join(f"{key} {theirs[key]}" for key in keys)
        here = ", ".join(f"{key} {mine[key]}" for key in keys)
        raise UserError(
            f"mel mismatch: {path} was made with {there}, but params.yaml has {here}: set these in "
            "its group audio, in a checkout of its own if there are models here"
        )
    known = [Path(dep).name for dep in stage_table("generate")["deps"] if dep.startswith("models/")]
    for name in manifest.models:
        if name not in known:
            raise UserError(
                f"{path} has a model {name}, which this version does not know (it was packed by "
                f"melodygan {manifest.melodygan}; known: {', '.join(known)})"
            )
    size = sum(file.bytes for file in manifest.files)
    if size + _SPARE > shutil.disk_usage(MODELS).free:
        raise UserError(f"{path} needs {size / 1e9:.1f} GB in models/: make room for it")


def _heard_otherwise(manifest: Manifest) -> list[str]:
    """A line if songs are not brought to these models as they know them."""
    cleaning = load(PreprocessParams, "preprocess")
    stem, loudness = cleaning.stems[0], cleaning.loudness_lufs
    if (manifest.stem, manifest.loudness_lufs) == (stem, loudness):
        return []
    return [
        f"of songs they have heard the {manifest.stem} at {manifest.loudness_lufs:g} LUFS, and "
        f"params.yaml has {stem} at {loudness:g}: set preprocess.stems and loudness_lufs to theirs "
        "before you convert or continue a song"
    ]


def _fetch(path: Path, files: Opener, manifest: Manifest, staging: Path) -> None:
    """Check every file that the manifest names, and copy those of models into `staging`."""
    targets = {
        f"{name}/{packed}": staging / name / there
        for name in manifest.models
        for there, packed in NAMES.items()
    }
    for target in targets.values():
        target.parent.mkdir(exist_ok=True)
    for file in manifest.files:
        take(path, files, file, targets.get(file.path))


def _require_loading(path: Path, manifest: Manifest, staging: Path) -> None:
    """Raise UserError unless each model can be loaded with nothing but the pack's others."""
    for name in manifest.models:
        try:
            load_maker(staging / name, manifest.audio, torch.device("cpu"))
        except UserError as error:
            reason = str(error).replace(f"{staging}/", "").removesuffix(": run `dvc repro`")
            raise UserError(f"{path}: its {name} cannot be used here ({reason})") from None


def _same(staging: Path, name: str) -> bool:
    here = MODELS / name
    return all((here / file).is_file() for file in NAMES) and (
        weights_sha256(here) == weights_sha256(staging / name)
    )


def _swap(staging: Path, names: list[str]) -> None:
    """Put the models in their places; all are as they were if one cannot be."""
    old = staging / "old"
    old.mkdir()
    done: list[str] = []
    try:
        for name in names:
            done.append(name)
            if (MODELS / name).exists():
                (MODELS / name).rename(old / name)
            (staging / name).rename(MODELS / name)
    except BaseException:
        for name in done:
            if (old / name).exists():
                shutil.rmtree(MODELS / name, ignore_errors=True)
                (old / name).rename(MODELS / name)
            elif not (staging / name).exists():
                shutil.rmtree(MODELS / name, ignore_errors=True)
        raise
