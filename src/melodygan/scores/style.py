"""Which label does a clip sound like? A linear classifier trained on real training clips."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.scores.embedding import Embedding, describe

Float = NDArray[np.float32]


class StyleClassifier:
    """Softmax regression on the embedding of clips, with a little weight decay.

    Small and convex, so that it is the same on every run and cannot memorise.
    """

    def __init__(self, clips: dict[str, Float], decay: float = 1e-2) -> None:
        """clips: training clips (n, n_mels, frames) by label; at least two labels."""
        self.labels = sorted(clips)
        features = {label: describe(clips[label].transpose(0, 2, 1)) for label in self.labels}
        self.embedding = Embedding.whitened(
            np.concatenate([features[label] for label in self.labels])
        )
        x = torch.cat([torch.from_numpy(self.embedding.apply(features[n])) for n in self.labels])
        counts = [len(features[label]) for label in self.labels]
        y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        balance = 1.0 / torch.tensor(counts, dtype=x.dtype)
        self.weights = torch.zeros(x.shape[1] + 1, len(counts), dtype=x.dtype, requires_grad=True)
        solver = torch.optim.LBFGS([self.weights], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            solver.zero_grad()
            fit = torch.nn.functional.cross_entropy(self._logits(x), y, weight=balance)
            value = fit + decay * self.weights[:-1].square().sum()
            value.backward()
            return value

        solver.step(loss)
        self.weights = self.weights.detach()

    def probability(self, clips: Float, label: str) -> float:
        """Mean probability of `label` over clips (n, n_mels, frames)."""
        x = torch.from_numpy(self.embedding.apply(describe(clips.transpose(0, 2, 1))))
        return float(self._logits(x).softmax(1)[:, self.labels.index(label)].mean())

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weights[:-1] + self.weights[-1]


def cut_clips(mels: Sequence[Float], frames: int, hop: int) -> Float:
    """Clips every `hop` frames of tracks (frames, n_mels) that are long enough.

    Returns (n, n_mels, frames), which the classifier takes.
    """
    return np.stack(
        [mel[s : s + frames].T for mel in mels for s in range(0, len(mel) - frames + 1, hop)]
    )
