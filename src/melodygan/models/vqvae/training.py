"""The VQ-VAE's losses, its validation, and its scores on test tracks beside the baseline."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional

from melodygan.audio.layout import to_network
from melodygan.dataset.feature_set import FeatureSet, Patches
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.models.vqvae.quantiser import perplexity
from melodygan.models.vqvae.raw import RawCodebooks
from melodygan.pipeline.errors import UserError
from melodygan.scores.bootstrap import paired_interval, paired_score
from melodygan.training import optimisers
from melodygan.training.data import Data
from melodygan.training.task import Batch, Limit, Task, Update
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]

HELD_OUT_PATCHES = 128  # at most so many per evaluation, spread evenly over the tracks


class VQVAETask(Task):
    """Minimises L1 of the normalised log-mel + commitment weight x commitment loss with Adam."""

    params_type = VQVAEParams
    score = "log_mel_l1"
    channels_last = True

    def __init__(self, params: VQVAEParams, data: Data) -> None:
        self.params, self.features, self.audio = params, data.features, data.audio
        self.seed = data.seed
        if self.audio.n_mels % params.stride:
            raise UserError(
                f"params.yaml: audio.n_mels {self.audio.n_mels} must be a multiple of "
                f"vqvae.stride {params.stride}"
            )
        self.mean, self.std = self.features.statistics()
        self.network = VQVAE(params)
        self.networks = {"vqvae": self.network}
        adam = optimisers.Adam(self.network.parameters(), params.lr, betas=(0.9, 0.99), fused=True)
        self.optimisers = {"vqvae": adam}
        self.train_patches = Patches(self.features.tracks("train"), params.crop)
        self.limits = (
            Limit(
                "validation",
                "perplexity",
                max(2.0, params.codebook_size / 32),
                2,
                "the codebook has collapsed",
                "lower vqvae.lr, or raise vqvae.restart_below",
            ),
        )

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random patches of training tracks, normalised."""
        patches = self.train_patches.random(self.params.batch_size, rng)
        return {"mel": (to_network(patches) - self.mean) / self.std}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update of encoder and decoder; the codebook follows in the forward pass."""
        result = self.network(batch["mel"], self.processes.gather)
        reconstruction = functional.l1_loss(result.mel.float(), batch["mel"])
        loss = reconstruction + self.params.commitment * result.commitment
        logs = {"reconstruction": reconstruction, "commitment": result.commitment}
        yield Update("vqvae", loss, logs)

    def lr_factor(self, progress: float, optimiser: str) -> float:
        """Constant, then linearly down to a tenth over the last half."""
        return 1.0 if progress < 0.5 else 1.0 - 0.9 * (progress - 0.5) / 0.5

    def validate(self) -> dict[str, float]:
        """Held-out log-mel L1 and codebook perplexity on validation tracks."""
        return HeldOut(self.trained(), self.features, "validation").scores()

    def samples(self) -> dict[str, Float]:
        """The beginning of a validation track, and what the codes keep of it."""
        original = self.features.tracks("validation")[0].mel[: self.params.frames]
        return {"original": np.array(original), "rebuilt": self.trained().rebuild(original)}

    def trained(self) -> TrainedVQVAE:
        """The model in its present state."""
        return TrainedVQVAE(self.network, self.params, self.features.audio, self.mean, self.std)

    def test(self) -> dict[str, Any]:
        """The same scores on test tracks.

        log_mel_l1_interval: 90 % interval of log_mel_l1 over tracks, beside the baseline on the
        same ones (`paired_score`), or None for a single track. raw_codebook_log_mel_l1: of codes
        of raw patches at the same bit rate (`RawCodebooks`); raw_doubled_log_mel_l1: at twice that
        rate; beside_raw_codebook: interval of log_mel_l1 beside the first, on the same tracks.
        """
        held_out = HeldOut(self.trained(), self.features, "test")
        raw = RawCodebooks(self.features, self.params, held_out.mean, self.seed)
        same, doubled = (held_out.by_track(errors) for errors in raw.errors(held_out.mel))
        paired = paired_score("log_mel_l1", held_out.errors, held_out.baselines, self.seed)
        return {
            **held_out.scores(),
            **paired,
            "raw_codebook_log_mel_l1": float(np.mean(same)),
            "raw_doubled_log_mel_l1": float(np.mean(doubled)),
            "beside_raw_codebook": paired_interval(held_out.errors, same, self.seed),
        }

    def claim(self, scores: dict[str, Any]) -> Claim:
        """What the network adds to its codebook, on the way to that of twice the bit rate.

        A code book of raw patches hears how loud it is where as well as any network, and leaves
        the mean spectrum far behind. No model is perfect at a given bit rate, so the way does not
        end at 0: half of it is as good as half as many bits again.
        """
        return Claim(
            "log_mel_l1",
            scores["log_mel_l1"],
            scores["raw_codebook_log_mel_l1"],
            "codes of raw patches",
            scores["raw_doubled_log_mel_l1"],
            interval=scores["beside_raw_codebook"],
        )


class HeldOut:
    """A model on regular patches of a split.

    mel: the patches. codes: of all of them. errors, baselines: mean absolute error of each track
    in ln units, of the model and of the training tracks' mean spectrum as a constant answer.
    """

    def __init__(self, model: TrainedVQVAE, features: FeatureSet, split: str) -> None:
        self.size = model.params.codebook_size
        frames = model.params.frames
        patches = Patches(features.tracks(split), frames)
        self.mel, self.mean = patches.regular(frames, HELD_OUT_PATCHES), mean_spectrum(features)
        self._tracks = np.array(patches.regular_tracks(frames, HELD_OUT_PATCHES))
        self.codes = model.encode(self.mel).cpu()
        self.errors, self.baselines = (
            self.by_track(np.abs(answer - self.mel).mean((1, 2)))
            for answer in (model.decode(self.codes), self.mean)
        )

    def by_track(self, errors: Float) -> list[float]:
        """Means over each track of one number for each patch, (patches,)."""
        return [float(errors[self._tracks == track].mean()) for track in np.unique(self._tracks)]

    def scores(self) -> dict[str, float]:
        """Of the whole split.

        log_mel_l1: mean of `errors`. baseline_log_mel_l1: of `baselines`. perplexity, codebook_use
        (share of codes used at least once): of the codebook that has the lowest. codebook_size.
        """
        books = self.codes.unbind(1)
        return {
            "log_mel_l1": float(np.mean(self.errors)),
            "baseline_log_mel_l1": float(np.mean(self.baselines)),
            "perplexity": min(perplexity(of, self.size) for of in books),
            "codebook_use": min(len(of.unique()) for of in books) / self.size,
            "codebook_size": self.size,
        }


def mean_spectrum(features: FeatureSet) -> Float:
    """Mean log-mel of the training tracks per mel bin, shape (n_mels,)."""
    tracks = features.tracks("train")
    total = sum(track.mel.sum(0, dtype=np.float64) for track in tracks)
    return np.asarray(total / sum(len(track.mel) for track in tracks), np.float32)
