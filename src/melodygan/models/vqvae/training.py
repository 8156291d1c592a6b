"""The VQ-VAE's losses, its validation, and its scores on test tracks beside the baseline."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from melodygan.dataset.feature_set import FeatureSet, Patches
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.models.vqvae.quantiser import perplexity
from melodygan.pipeline.errors import UserError
from melodygan.training.task import Batch, Limit, Samples, Task, Update

HELD_OUT_PATCHES = 128  # at most so many per evaluation, spread evenly over the tracks


class VQVAETask(Task):
    """Minimises L1 of the normalised log-mel + commitment weight x commitment loss with Adam."""

    score = "log_mel_l1"
    channels_last = True

    def __init__(self, params: VQVAEParams, features: FeatureSet) -> None:
        self.params, self.features, self.audio = params, features, features.audio
        if features.audio.n_mels % params.stride:
            raise UserError(
                f"params.yaml: audio.n_mels {features.audio.n_mels} must be a multiple of "
                f"2 ** vqvae.downsamplings = {params.stride}"
            )
        self.mean, self.std = features.statistics()
        self.network = VQVAE(params)
        self.networks = {"vqvae": self.network}
        adam = torch.optim.Adam(self.network.parameters(), params.lr, betas=(0.9, 0.99), fused=True)
        self.optimisers = {"vqvae": adam}
        self.train_patches = Patches(features.tracks("train"), params.frames)
        self.limits = (
            Limit(
                "validation",
                "perplexity",
                max(2.0, params.codebook_size / 32),
                2,
                "the codebook has collapsed",
                "raise vqvae.restart_below, or lower vqvae.lr",
            ),
        )

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random patches of training tracks, normalised."""
        patches = self.train_patches.random(self.params.batch_size, rng)
        return {"mel": torch.from_numpy((patches - self.mean) / self.std)}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update of encoder and decoder; the codebook follows in the forward pass."""
        result = self.network(batch["mel"])
        reconstruction = functional.l1_loss(result.mel.float(), batch["mel"])
        loss = reconstruction + self.params.commitment * result.commitment
        logs = {"reconstruction": reconstruction, "commitment": result.commitment}
        yield Update("vqvae", loss, logs)

    def lr_factor(self, progress: float) -> float:
        """Constant, then linearly down to a tenth over the last half."""
        return 1.0 if progress < 0.5 else 1.0 - 0.9 * (progress - 0.5) / 0.5

    def validate(self) -> dict[str, float]:
        """Held-out log-mel L1 and codebook perplexity on validation tracks."""
        return held_out_scores(self.trained(), self.features, "validation")

    def samples(self) -> dict[str, Samples]:
        """The beginning of a validation track, and what the codes keep of it."""
        frames = self.params.frames
        original = Patches(self.features.tracks("validation"), frames).regular(frames, 1)
        model = self.trained()
        rebuilt = model.decode(model.encode(torch.from_numpy(original)))[0].numpy()
        return {"original": original[0].T, "rebuilt": rebuilt.T}

    def trained(self) -> TrainedVQVAE:
        """The model in its present state."""
        return TrainedVQVAE(self.network, self.params, self.features.audio, self.mean, self.std)


@torch.no_grad()
def held_out_scores(model: TrainedVQVAE, features: FeatureSet, split: str) -> dict[str, float]:
    """Scores on regular patches of a split.

    log_mel_l1: mean absolute error in ln units. baseline_log_mel_l1: the same for the mean
    spectrum of the training tracks as a constant answer. perplexity, codebook_use (share of codes
    used at least once), codebook_size.
    """
    frames = model.params.frames
    patches = Patches(features.tracks(split), frames).regular(frames, HELD_OUT_PATCHES)
    mel = torch.from_numpy(patches)
    indices, error = [], []
    for part in mel.split(16):
        codes = model.encode(part)
        indices.append(codes)
        error.append((model.decode(codes) - part).abs().mean((1, 2)))
    codes = torch.cat(indices)
    size = model.params.codebook_size
    return {
        "log_mel_l1": float(torch.cat(error).mean()),
        "baseline_log_mel_l1": float((mel - mean_spectrum(features)).abs().mean()),
        "perplexity": perplexity(codes, size),
        "codebook_use": len(codes.unique()) / size,
        "codebook_size": size,
    }


def mean_spectrum(features: FeatureSet) -> Tensor:
    """Mean log-mel of the training tracks per mel bin, shape (n_mels, 1)."""
    tracks = features.tracks("train")
    total = sum(track.mel.sum(0, dtype=np.float64) for track in tracks)
    mean = total / sum(len(track.mel) for track in tracks)
    return torch.from_numpy(np.asarray(mean, np.float32))[:, None]
