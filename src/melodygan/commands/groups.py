"""Which dataclass reads which group of params.yaml: the whole file, checked at once."""

import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import melodygan.models
from melodygan.audio.mel import mel_filterbank
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load, load_seed, read_params
from melodygan.training.settings import TrainSettings

JUDGED = 24  # mel bands: of fewer, PatchGAN (blocks/patchgan.py) has nothing left at its end
_FIXED = {
    "audio": "melodygan.audio.mel:MelConfig",
    "runtime": "melodygan.pipeline.runtime:Runtime",
    "download": "melodygan.sources.raw:DownloadParams",
    "separate": "melodygan.separation.stage_work:SeparateParams",
    "preprocess": "melodygan.dataset.preprocess:PreprocessParams",
    "features": "melodygan.dataset.features:FeaturesParams",
    "generate": "melodygan.generation.config:GenerateParams",
}


@cache
def groups() -> dict[str, Any]:
    """The dataclass of each group; each folder of models/ brings that of its name."""
    found: dict[str, Any] = {}
    for group, place in _FIXED.items():
        module, name = place.split(":")
        found[group] = getattr(import_module(module), name)
    for folder in pkgutil.iter_modules(melodygan.models.__path__):
        package = f"melodygan.models.{folder.name}"
        module = f"{package}.config" if find_spec(f"{package}.config") else package
        found[folder.name] = _params_of(vars(import_module(module)).values(), module)
    return found


def _params_of(values: Iterable[Any], module: str) -> Any:
    """The dataclass of a model's group: the one of its module that no other one contains."""
    own = [v for v in values if isinstance(v, type) and is_dataclass(v) and v.__module__ == module]
    inner = {hint for kind in own for hint in get_type_hints(kind).values()}
    (outer,) = (kind for kind in own if kind not in inner)
    return outer


def check_params(path: Path) -> None:
    """Parse every group of the parameter file `path` and its seed.

    A stage checks only what it reads; this finds a mistake before the first stage runs.
    Raises UserError for the first unknown, missing or impossible value or group, or for values
    of several groups that cannot go together.
    """
    known = groups()
    for group in read_params(path):
        if group != "seed" and group not in known:
            raise UserError(f"{path}: unknown group `{group}` (known: seed, {', '.join(known)})")
    load_seed(path)
    values = {group: load(kind, group, path) for group, kind in known.items()}
    for complaint in complaints(values):
        raise UserError(f"{path}: {complaint}")


def complaints(values: dict[str, Any]) -> Iterator[str]:
    """What makes a stage fail though each group is valid by itself; values: by group."""
    audio, stems = values["audio"], values["preprocess"].stems
    empty = int((~mel_filterbank(audio).any(axis=1)).sum())
    if empty:
        yield (
            f"{empty} of the {audio.n_mels} mel bands have no frequency of n_fft {audio.n_fft} "
            "in them: lower audio.n_mels, or raise audio.n_fft"
        )
    stride = values["vqvae"].stride
    if audio.n_mels % stride:
        yield f"audio.n_mels {audio.n_mels} must be a multiple of vqvae.stride, {stride}"
    if audio.n_mels < JUDGED:
        yield (
            f"audio.n_mels {audio.n_mels} must be at least {JUDGED}, for the discriminators of "
            "cyclegan and pix2pix"
        )
    if values["features"].n_mfcc > audio.n_mels:
        yield f"features.n_mfcc must be at most audio.n_mels, {audio.n_mels}"
    if not values["separate"].enabled and "vocals" in stems:
        yield "preprocess.stems asks for vocals, but separate.enabled is false"
    if values["pix2pix"].task == "vocals" and not {"vocals", "mix"} <= set(stems):
        yield "pix2pix.task is vocals: preprocess.stems must have vocals and mix"
    processes = values["runtime"].processes
    for group, value in values.items():
        for settings in (value, *vars(value).values()):
            if isinstance(settings, TrainSettings) and settings.batch_size % processes:
                yield f"batch_size of {group} must be a multiple of runtime.processes, {processes}"
