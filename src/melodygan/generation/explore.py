"""The space of a label's clips as the VQ-VAE hears them: directions to walk in, clips to blend.

Principal components of the latents' means over time, as GANSpace (Härkönen et al. 2020) takes them
of a generator's features: along the first of them the label's clips differ most. A walk adds the
same to every column, so it changes the sound and leaves the course of the notes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.dataset.feature_set import FeatureSet, Patches
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.errors import UserError

Float = NDArray[np.float32]

CLIPS = 48  # of a label, spread evenly over its tracks
DIRECTIONS = 6
_FAR = 2.0  # standard deviations, at which a direction is described
_AUDIBLE = {"level": 0.1, "brightness": 0.03, "movement": 0.05}  # ln units; share; ln units
_WORDS = {
    "level": ("softer", "louder"),
    "brightness": ("darker", "brighter"),
    "movement": ("smoother", "more struck"),
}


@dataclass(frozen=True)
class Direction:
    """One way in which the clips differ. share: of their variance. words: what it sounds like."""

    share: float
    words: str


class Space:
    """The clips of one label and their principal directions."""

    def __init__(self, model: TrainedVQVAE, features: FeatureSet, label: str) -> None:
        """Raises UserError for a label without tracks to train on, or with too few clips."""
        frames = model.params.frames
        patches = Patches(features.tracks("train", label), frames)
        self.model, self.label = model, label
        self.names = patches.regular_tracks(frames, CLIPS)
        self.latents = model.latents(patches.regular(frames, CLIPS))
        means = self.latents.mean(3).flatten(1).double()
        if len(means) < 3:
            raise UserError(
                f"{label}: {len(means)} clips, too few to find directions in: add music"
            )
        centred = means - means.mean(0)
        _, spread, ways = torch.linalg.svd(centred, full_matrices=False)
        count = min(DIRECTIONS, len(means) - 1, ways.shape[0])
        # the sign of a component is arbitrary: the largest weight is positive
        largest = ways[:count].abs().argmax(1)
        signs = ways[:count].gather(1, largest[:, None]).sign()
        self._ways = ways[:count] * signs
        self._scale = spread[:count] / np.sqrt(len(means) - 1)
        self._shares = (spread.square() / spread.square().sum())[:count]

    def directions(self) -> list[Direction]:
        """What each does, by decoding the first clip far out on either side of it."""
        found = []
        for index, share in enumerate(self._shares.tolist()):
            moves = [0.0] * len(self._shares)
            low, high = (
                self.clip(0, moves=[*moves[:index], side, *moves[index + 1 :]])
                for side in (-_FAR, _FAR)
            )
            found.append(Direction(share, _described(low, high)))
        return found

    def clip(
        self, index: int, other: int | None = None, blend: float = 0.0, moves: Sequence[float] = ()
    ) -> Float:
        """Log-mel (frames, n_mels) of a clip, carried over to another and moved.

        blend: from 0, the clip, to 1, the other, in a straight line through the latents. moves:
        along the first directions, in standard deviations of the clips. All of it is then snapped
        to codes, so what one hears is what the model can say. Raises UserError for a clip or a
        direction that is not there.
        """
        latents = self._latents(index)
        if other is not None:
            latents = torch.lerp(latents, self._latents(other), blend)
        if len(moves) > len(self._scale):
            raise UserError(f"{self.label} has {len(self._scale)} directions, not {len(moves)}")
        steps = torch.tensor([*moves], dtype=torch.double, device=latents.device)
        way = (steps * self._scale[: len(moves)]) @ self._ways[: len(moves)]
        shift = way.float().reshape(latents.shape[0], latents.shape[1], 1)
        return self.model.decode(self.model.quantise((latents + shift)[None]))[0]

    def _latents(self, index: int) -> torch.Tensor:
        if not 0 <= index < len(self.latents):
            raise UserError(f"{self.label} has clips 0 to {len(self.latents) - 1}, not {index}")
        return self.latents[index]


def _described(low: Float, high: Float) -> str:
    """In words, what is different between two clips (frames, n_mels); the same order always."""
    before, after = _heard(low), _heard(high)
    words = []
    for name, least in _AUDIBLE.items():
        change = after[name] - before[name]
        if abs(change) >= least:
            words.append(_WORDS[name][change > 0])
    return ", ".join(words) or "subtle"


def _heard(mel: Float) -> dict[str, float]:
    """Level (ln units), place of the spectrum's middle (0 to 1), change between frames (ln)."""
    power = np.exp(2 * mel.astype(np.float64)).mean(0)
    middle = float((power * np.arange(len(power))).sum() / power.sum() / len(power))
    movement = float(np.maximum(np.diff(mel, axis=0), 0).mean())
    return {"level": float(mel.mean()), "brightness": middle, "movement": movement}


def coder(models: Mapping[str, object]) -> TrainedVQVAE:
    """The VQ-VAE among loaded models. Raises UserError where there is none."""
    for model in models.values():
        if isinstance(model, TrainedVQVAE):
            return model
    raise UserError("no VQ-VAE among the deps of stage generate: add models/vqvae there")
