"""Reading models/latent_prior, whatever its kind."""

from pathlib import Path

import torch

from melodygan.audio.mel import MelConfig
from melodygan.models.latent_prior.autoregressive.model import TrainedAutoregressive
from melodygan.models.latent_prior.flow.model import TrainedFlow
from melodygan.models.latent_prior.prior import TrainedPrior
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.training.weights import load_model

KINDS: dict[str, type[TrainedPrior]] = {of.kind: of for of in (TrainedAutoregressive, TrainedFlow)}


def load(folder: Path, audio: MelConfig, device: torch.device | None = None) -> TrainedPrior:
    """The prior in `folder`, with the VQ-VAE beside it.

    Raises UserError on a mel mismatch or broken files.
    """
    vqvae = TrainedVQVAE.load(folder.parent / "vqvae", audio, device)
    weights, config = load_model(folder, audio)
    kind = config["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise config.wrong(f"`kind` must be {' or '.join(KINDS)}")
    return KINDS[kind].restored(weights, config, vqvae, folder)
