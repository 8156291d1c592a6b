"""Discriminators that an imported generator comes with, to go on from in fine-tuning."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from melodygan.pipeline.errors import UserError

FILE = "discriminators.safetensors"  # in the vocoder's folder
FAMILIES = ("mpd", "msd")  # of a `do_########`, in the order of HiFi-GAN's panel


def panel_weights(saved: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of HiFi-GAN's panel in a public `do_########`; KeyError without `mpd`, `msd`.

    Old weight norm has `weight_g` and `weight_v`, old spectral norm `weight_orig`, `weight_u` and
    another `weight_v`.
    """
    weights = {}
    for index, family in enumerate(FAMILIES):
        for key, value in saved[family].items():
            layer, _, kind = key.rpartition(".")
            spectral = f"{layer}.weight_orig" in saved[family]
            names = _SPECTRAL if spectral else _WEIGHT
            weights[f"families.{index}.{layer}.{names.get(kind, kind)}"] = value
    return weights


_WEIGHT = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}
_SPECTRAL = {
    "weight_orig": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0._u",
    "weight_v": "parametrizations.weight.0._v",
}


def write(weights: dict[str, Tensor], folder: Path) -> None:
    """Put them into a vocoder's folder."""
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / FILE)


def fill(panel: nn.Module, folder: Path) -> bool:
    """Give a panel the weights in a vocoder's folder; False where there are none.

    Raises UserError where they are broken, or of another size.
    """
    file = folder / FILE
    if not file.exists():
        return False
    try:
        panel.load_state_dict(load_file(file))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{file}: not the discriminators of this kind and `discriminator_channels` ({reason}): "
            "set these as they were, or remove the file to begin with new ones"
        ) from None
    return True
