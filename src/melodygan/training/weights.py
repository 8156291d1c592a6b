"""Model folders: weights.safetensors + config.json. Loading never unpickles."""

from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import atomic_dir, read_json, write_json


def save_model(
    folder: Path, weights: dict[str, Tensor], config: dict[str, Any], audio: MelConfig
) -> None:
    """Write a model folder, atomically, with the mel configuration that the model was made for."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    with atomic_dir(folder) as temporary:
        save_file(tensors, temporary / "weights.safetensors")
        (temporary / "weights.safetensors").chmod(0o644)  # it is written for the owner alone
        write_json(temporary / "config.json", config | {"audio": audio.as_dict()})


def load_model(folder: Path, audio: MelConfig) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and configuration of a model folder.

    Raises UserError if a file is missing or broken, or if the mel configuration is not `audio`.
    """
    config = read_json(folder / "config.json")
    audio.require(config.pop("audio", {}), str(folder))
    try:
        return load_file(folder / "weights.safetensors"), config
    except (FileNotFoundError, SafetensorError) as error:
        raise UserError(f"{folder}: weights unreadable ({error}): run `dvc repro`") from None


def fill(network: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    """Put `weights`, from the model folder `folder`, into a network made from its parameters.

    Raises UserError where a weight is missing, unknown or of another shape.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{folder}: the weights are not those of its config.json ({reason}): "
            f"run `dvc repro -f {folder.name}`"
        ) from None


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
        model = cls(config, audio)
        fill(model.network, weights, folder)
        model.network.to(device).eval()
        return model

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        save_model(folder, self.network.state_dict(), self.config, self.audio)
