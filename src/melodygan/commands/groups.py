"""Which dataclass reads which group of params.yaml: the whole file, checked at once."""

import pkgutil
from collections.abc import Iterable
from dataclasses import is_dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import melodygan.models
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load, load_seed, read_params

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
    Raises UserError for the first unknown, missing or impossible value or group.
    """
    known = groups()
    for group in read_params(path):
        if group != "seed" and group not in known:
            raise UserError(f"{path}: unknown group `{group}` (known: seed, {', '.join(known)})")
    load_seed(path)
    for group, kind in known.items():
        load(kind, group, path)
