"""A vocoder as ONNX, for programs without torch."""

import warnings
from pathlib import Path

import numpy as np
import torch

from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.models.vocoder.vocos.network import Inverse, Vocos
from melodygan.pipeline.errors import UserError

OPSET = 17
PARITY = 1e-5  # largest difference from torch, for sounds in [-1, 1]
CHECKED = (9, 40)  # frames of the mels that are compared


def export_onnx(vocoder: Vocoder, path: Path) -> float:
    """Write `mel` (batch, n_mels, frames) -> `audio` (batch, samples), any batch and length.

    MelGAN's needs at least `MelGAN.shortest` frames, which its reflections take.

    Returns the largest difference from torch that onnxruntime shows on made-up mels. Raises
    UserError for a kind that searches for its phases, and where the difference is above 1e-5.
    """
    if vocoder.reach is None:
        raise UserError(
            f"vocoder kind {vocoder.params.kind} searches for its phases step by step, which is "
            "no network: export vocos, melgan or hifigan"
        )
    network = vocoder.network.cpu()
    fast = None
    if isinstance(network, Vocos):  # ONNX has no complex numbers
        fast, network.inverse = network.inverse, Inverse(vocoder.audio)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        _trace(network, vocoder.audio.n_mels, temporary)
        gap = _gap(temporary, vocoder)
        if not gap <= PARITY:
            raise UserError(f"{path}: not written, it differs from the vocoder by {gap:.2g}")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        if isinstance(network, Vocos) and fast is not None:
            network.inverse = fast
    return gap


def _trace(network: torch.nn.Module, n_mels: int, path: Path) -> None:
    """By torch's older exporter: the newer one takes 20 times as long for the same graph."""
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
        )


@torch.no_grad()
def _gap(path: Path, vocoder: Vocoder) -> float:
    import onnxruntime  # here, since training machines need not have it

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng, gaps = np.random.default_rng(0), []
    shortest = getattr(vocoder.network, "shortest", 1)  # MelGAN's reflections need more than one
    for frames in (shortest, *CHECKED):
        mel = rng.normal(-5, 1.5, (2, vocoder.audio.n_mels, frames)).astype(np.float32)
        (made,) = session.run(None, {"mel": mel})
        true = vocoder.network(torch.from_numpy(mel)).numpy()
        gaps.append(float(np.abs(made - true).max()) if made.shape == true.shape else np.inf)
    return max(gaps)
