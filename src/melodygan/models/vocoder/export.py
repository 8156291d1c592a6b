"""A vocoder as ONNX, for programs without torch."""

import copy
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.models.vocoder.vocos.network import Inverse, Vocos
from melodygan.pipeline.errors import UserError

OPSET = 17
PARITY = 1e-5  # largest difference from torch, for sounds in [-1, 1]
CHECKED = (9, 40)  # frames of the mels that are compared
MATRIX = 2  # axes of a weight, from which on it is worth storing in half precision

Precision = Literal["fp32", "fp16"]


def export_onnx(vocoder: Vocoder, path: Path, precision: Precision = "fp32") -> float:
    """Write `mel` (batch, n_mels, frames) -> `audio` (batch, samples), any batch and length.

    MelGAN's needs at least `MelGAN.shortest` frames, which its reflections take. precision: that
    in which weights are stored; all is computed in fp32, so fp16 takes half of the file alone.

    Returns the largest difference that onnxruntime shows on made-up mels from torch with the same
    (rounded) weights. Raises UserError for a kind that searches for its phases, and where the
    difference is above 1e-5.
    """
    if vocoder.reach is None:
        raise UserError(
            f"vocoder kind {vocoder.params.kind} searches for its phases step by step, which is "
            "no network: export vocos, melgan or hifigan"
        )
    network = copy.deepcopy(vocoder.network).cpu()
    if isinstance(network, Vocos):  # ONNX has no complex numbers
        network.inverse = Inverse(vocoder.audio)
    if precision == "fp16":
        _halve(network)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        _trace(network, vocoder.audio.n_mels, temporary, fold=precision == "fp32")
        gap = _gap(temporary, network, vocoder.audio.n_mels)
        if not gap <= PARITY:
            raise UserError(f"{path}: not written, it differs from the vocoder by {gap:.2g}")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return gap


class _Half(nn.Module):
    """A weight that is kept in half precision and used in full."""

    def forward(self, stored: Tensor) -> Tensor:
        return stored.float()


def _halve(network: nn.Module) -> None:
    """Keep matrices and kernels in half precision; weight norm becomes plain weights before."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name)
    for module in list(network.modules()):
        own = (module.named_parameters(recurse=False), module.named_buffers(recurse=False))
        for name, weight in [pair for of in own for pair in of if pair[1].dim() >= MATRIX]:
            half = weight.detach().half()
            setattr(module, name, nn.Parameter(half) if isinstance(weight, nn.Parameter) else half)
            parametrize.register_parametrization(module, name, _Half(), unsafe=True)


def _trace(network: nn.Module, n_mels: int, path: Path, fold: bool) -> None:
    """By torch's older exporter: the newer one takes 20 times as long for the same graph.

    fold: whether what follows from weights alone is stored instead of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says of itself that it is the older one
        torch.onnx.export(
            network,
            (torch.full((1, n_mels, 64), -5.0),),
            path,
            dynamo=False,
            input_names=["mel"],
            output_names=["audio"],
            dynamic_axes={"mel": {0: "batch", 2: "frames"}, "audio": {0: "batch", 1: "samples"}},
            opset_version=OPSET,
            do_constant_folding=fold,
        )


@torch.no_grad()
def _gap(path: Path, network: nn.Module, n_mels: int) -> float:
    import onnxruntime  # here, since training machines need not have it

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng, gaps = np.random.default_rng(0), []
    shortest = getattr(network, "shortest", 1)  # MelGAN's reflections need more than one
    for frames in (shortest, *CHECKED):
        mel = rng.normal(-5, 1.5, (2, n_mels, frames)).astype(np.float32)
        (made,) = session.run(None, {"mel": mel})
        true = network(torch.from_numpy(mel)).numpy()
        gaps.append(float(np.abs(made - true).max()) if made.shape == true.shape else np.inf)
    return max(gaps)
