"""Reading models/vocoder, whatever its kind."""

from pathlib import Path

import torch

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.kinds import NETWORKS
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore


def load(folder: Path, audio: MelConfig, device: torch.device | None = None) -> Vocoder:
    """The vocoder in `folder`. Raises UserError on a mel mismatch or broken files."""
    weights, config = load_model(folder, audio)
    params = parse(VocoderParams, config["params"], "params", str(folder / "config.json"))
    network = restore(lambda: NETWORKS[params.kind](params, audio), weights, folder)
    return Vocoder(params, audio, network.to(device))
