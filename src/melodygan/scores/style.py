"""Which label does a clip sound like? A linear classifier trained on real training clips.

It judges by one of two descriptions. `timbre` (scores/embedding.py) hears levels and their spread,
and so mostly the equaliser. `movement` is blind to equaliser and level: it hears only how bands
move in time and with each other. A conversion should convince both.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError
from melodygan.scores.embedding import Embedding, describe
from melodygan.training import optimisers

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
Description = Callable[[Float], Matrix]

BANDS = 16
LAGS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96)  # frames
STILL = 0.1  # ln units; a band that moves less is not blown up to full size


def timbre(clips: Float) -> Matrix:
    """Levels, spreads, cepstra and rhythm: (clips, frames, n_mels) -> (clips, features)."""
    return describe(clips)


def movement(clips: Float) -> Matrix:
    """What remains without equaliser and level: (clips, frames, n_mels) -> (clips, features).

    Each of 16 bands of each clip is brought to mean 0 and spread 1 over time, so that no gain per
    band changes anything. Then per band: autocorrelation at lags up to 96 frames, skewness and mean
    absolute change; and the correlation of each pair of bands.
    """
    frames, n_mels = clips.shape[1:]
    groups = np.array_split(np.arange(n_mels), min(BANDS, n_mels))
    bands = np.stack([clips[:, :, group].mean(2, dtype=np.float64) for group in groups], axis=1)
    moving = bands - bands.mean(2, keepdims=True)
    moving /= moving.std(2, keepdims=True) + STILL
    first, second = np.triu_indices(len(groups), 1)
    lags = [lag for lag in LAGS if lag < frames]
    return np.concatenate(
        [
            *((moving[:, :, :-lag] * moving[:, :, lag:]).mean(2) for lag in lags),
            (moving**3).mean(2),
            np.abs(np.diff(moving, axis=2)).mean(2),
            (moving @ moving.transpose(0, 2, 1) / frames)[:, first, second],
        ],
        axis=1,
    )


class StyleClassifier:
    """Softmax regression on the embedding of clips, with a little weight decay.

    Small and convex, so that it is the same on every run and cannot memorise.
    """

    def __init__(
        self, clips: dict[str, Float], description: Description = timbre, decay: float = 1e-2
    ) -> None:
        """clips: training clips (n, frames, n_mels) by label; at least two labels."""
        self.labels, self.description = sorted(clips), description
        features = {label: description(clips[label]) for label in self.labels}
        self.embedding = Embedding.whitened(
            np.concatenate([features[label] for label in self.labels])
        )
        x = torch.cat([torch.from_numpy(self.embedding.apply(features[n])) for n in self.labels])
        counts = [len(features[label]) for label in self.labels]
        y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        balance = 1.0 / torch.tensor(counts, dtype=x.dtype)
        self.weights = torch.zeros(x.shape[1] + 1, len(counts), dtype=x.dtype, requires_grad=True)
        solver = optimisers.LBFGS([self.weights], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            solver.zero_grad()
            fit = torch.nn.functional.cross_entropy(self._logits(x), y, weight=balance)
            value = fit + decay * self.weights[:-1].square().sum()
            value.backward()
            return value

        solver.step(loss)
        self.weights = self.weights.detach()

    def probability(self, clips: Float, label: str) -> float:
        """Mean probability of `label` over clips (n, frames, n_mels)."""
        return float(self._softmax(clips)[:, self.labels.index(label)].mean())

    def accuracy(self, clips: dict[str, Float]) -> float:
        """Share of clips (n, frames, n_mels) by label that are recognised; labels weigh equally."""
        return float(np.mean([self.right(of, label).mean() for label, of in clips.items()]))

    def right(self, clips: Float, label: str) -> Matrix:
        """1 for each of the clips (n, frames, n_mels) that is taken for `label`, else 0; (n,)."""
        return (self._softmax(clips).argmax(1) == self.labels.index(label)).double().numpy()

    def _softmax(self, clips: Float) -> torch.Tensor:
        x = torch.from_numpy(self.embedding.apply(self.description(clips)))
        return self._logits(x).softmax(1)

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weights[:-1] + self.weights[-1]


def cut_clips(mels: Sequence[Float], frames: int, hop: int, limit: int | None = None) -> Float:
    """Clips every `hop` frames of tracks (frames, n_mels), thinned out evenly to `limit`.

    Returns (n, frames, n_mels), which the classifier takes. Tracks shorter than a clip are left
    out; raises UserError if none is long enough.
    """
    places = [(mel, start) for mel in mels for start in range(0, len(mel) - frames + 1, hop)]
    if not places:
        raise UserError(
            f"no track has the {frames} frames of a clip that style is judged by: add longer tracks"
        )
    if limit is not None and len(places) > limit:
        chosen = np.linspace(0, len(places) - 1, limit).round().astype(int)
        places = [places[i] for i in chosen]
    return np.stack([mel[start : start + frames] for mel, start in places])
