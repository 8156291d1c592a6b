"""Model folders: weights.safetensors + config.json. Loading never unpickles."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import atomic_dir, read_json, write_json

N = TypeVar("N", bound=nn.Module)
_LARGEST = sys.float_info.max
_READ: ContextVar[set[Path] | None] = ContextVar("_READ", default=None)


def save_model(
    folder: Path, weights: dict[str, Tensor], config: dict[str, Any], audio: MelConfig
) -> None:
    """Write a model folder, atomically, with the mel configuration that the model was made for."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    with atomic_dir(folder) as temporary:
        save_file(tensors, temporary / "weights.safetensors")
        (temporary / "weights.safetensors").chmod(0o644)  # it is written for the owner alone
        write_json(temporary / "config.json", config | {"audio": audio.as_dict()})


class Config(dict[str, Any]):
    """config.json of a model folder; what is missing or of another kind is a UserError."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "config.json"
        value = read_json(self.path)
        if not isinstance(value, dict):
            raise self.wrong("it is not an object")
        super().__init__(value)

    def __missing__(self, key: str) -> NoReturn:
        raise self.wrong(f"it has no `{key}`")

    def number(self, key: str) -> float:
        """A finite number."""
        value = self[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
            raise self.wrong(f"`{key}` must be a number")
        return float(value)

    def names(self, key: str) -> list[str]:
        """A list of names."""
        value = self[key]
        if not isinstance(value, list) or not all(map(_is_name, value)):
            raise self.wrong(f"`{key}` must be a list of names")
        return value

    def pairs(self, key: str) -> list[tuple[str, str]]:
        """A list of pairs of names."""
        value = self[key]
        if not isinstance(value, list) or not all(
            isinstance(pair, list) and len(pair) == 2 and all(map(_is_name, pair)) for pair in value
        ):
            raise self.wrong(f"`{key}` must be a list of pairs of names")
        return [(one, other) for one, other in value]

    def wrong(self, reason: str) -> UserError:
        """The error for a configuration that this project did not write."""
        return UserError(f"{self.path}: {reason}: run `dvc repro`")


def _is_name(value: Any) -> bool:
    """Labels are shown to people: none may command their terminal."""
    return isinstance(value, str) and value.isprintable()


@contextmanager
def folders_read() -> Iterator[set[Path]]:
    """Collects the model folders that are loaded within the block: one model may need others."""
    folders: set[Path] = set()
    token = _READ.set(folders)
    try:
        yield folders
    finally:
        _READ.reset(token)


def load_model(folder: Path, audio: MelConfig) -> tuple[dict[str, Tensor], Config]:
    """Weights and configuration of a model folder.

    Raises UserError if a file is missing or broken, if a weight is not finite, or if the mel
    configuration is not `audio`.
    """
    if (folders := _READ.get()) is not None:
        folders.add(folder)
    config = Config(folder)
    mel = config.pop("audio", {})
    audio.require(mel if isinstance(mel, dict) else {}, str(folder))
    try:
        weights = load_file(folder / "weights.safetensors")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder}: weights unreadable ({error}): run `dvc repro`") from None
    for name, value in weights.items():
        known = value.float() if value.element_size() == 1 else value  # torch cannot say of all
        if value.is_floating_point() and not known.isfinite().all():
            raise UserError(f"{folder}: weights `{name}` are not finite: run `dvc repro`")
    return weights, config


def restore(make: Callable[[], N], weights: dict[str, Tensor], folder: Path) -> N:
    """The network that `make` makes from a model folder's configuration, with its weights.

    Tried without memory first, since a configuration can ask for any amount of it. Raises UserError
    where the two do not fit.
    """
    try:
        with torch.device("meta"), _at_most(len(weights)):
            wanted = make().state_dict()
    except (_TooLarge, RuntimeError, TypeError, ValueError, OverflowError, MemoryError):
        raise UserError(
            f"{folder}: config.json asks for a network that the weights are not of: run `dvc repro`"
        ) from None
    for name in sorted(wanted.keys() | weights.keys()):
        there, here = weights.get(name), wanted.get(name)
        if there is None or here is None or (there.shape, there.dtype) != (here.shape, here.dtype):
            raise UserError(
                f"{folder}: weights `{name}` are {_kind(there)}, but config.json asks for "
                f"{_kind(here)}: run `dvc repro`"
            )
    network = make()
    network.load_state_dict(weights)
    return network


def _kind(tensor: Tensor | None) -> str:
    return "none" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"


class _TooLarge(Exception):
    """More parameters than there are weights."""


@contextmanager
def _at_most(count: int) -> Iterator[None]:
    """Within the block, networks of more than `count` parameters raise _TooLarge while made."""
    made = 0

    def look(_module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal made
        # a normalised weight is registered as itself, then as the two that it is made of
        made += parameter is not None and not name.startswith("original")
        if made > count:
            raise _TooLarge

    hook = register_module_parameter_registration_hook(look)
    try:
        yield
    finally:
        hook.remove()


class StoredModel:
    """A model that is one network, made from plain values: its folder holds no more than the two.

    A subclass's constructor takes `config` and `audio`, hands them on, and sets `network`.
    """

    network: nn.Module

    def __init__(self, config: dict[str, Any], audio: MelConfig) -> None:
        self.config, self.audio = config, audio

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read the model's folder. Raises UserError on a mel mismatch or broken files."""
        weights, config = load_model(folder, audio)
        network = restore(lambda: cls(config, audio).network, weights, folder)
        model = cls(config, audio)
        model.network = network.to(device).eval()
        return model

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        save_model(folder, self.network.state_dict(), self.config, self.audio)
