"""A trained prior as other stages use it, whatever its kind: clips, and music without end."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.errors import UserError
from melodygan.training.weights import Config, save_model

Float = NDArray[np.float32]

BATCH = 64  # clips that are made at once
PIECE = 2  # columns that are decoded at once


class TrainedPrior(ABC):
    """A network with the VQ-VAE whose codes it invents.

    A kind says how columns of codes are invented (`columns`, `varied`), and how the network is
    read and written. kind: its name in params.yaml. params: of the kind. labels: those that it can
    be asked for. memory: latent columns of a track's end that it goes on from.
    """

    kind: ClassVar[str]
    params: Any
    memory: int

    def __init__(self, network: nn.Module, vqvae: TrainedVQVAE, labels: Sequence[str]) -> None:
        self.network, self.vqvae = network.eval(), vqvae
        self.labels = tuple(labels)

    @classmethod
    @abstractmethod
    def restored(
        cls, weights: dict[str, Tensor], config: Config, vqvae: TrainedVQVAE, folder: Path
    ) -> Self:
        """The model in `folder`, on the VQ-VAE's device. Raises UserError for broken files."""

    @abstractmethod
    def columns(
        self, count: int, seed: int, label: str | None, heard: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Columns of codes of `count` pieces without end, each (count, books, height).

        heard: latents (1, code_dim, height, columns), which the music goes on from.
        """

    @abstractmethod
    def varied(
        self, written: Iterator[Tensor], seed: int, strength: float, label: str | None
    ) -> Iterator[Tensor]:
        """As many columns of codes, (1, books, height), as `written` has, more or less like them.

        strength: above 0, see `vary`.
        """

    def weights(self) -> dict[str, Tensor]:
        """What the model folder keeps."""
        return self.network.state_dict()

    def save(self, folder: Path) -> None:
        """Write models/latent_prior."""
        config = {"kind": self.kind, "params": asdict(self.params), "labels": list(self.labels)}
        save_model(folder, self.weights(), config, self.vqvae.audio)

    def sample(
        self, count: int, seed: int, label: str | None = None, frames: int | None = None
    ) -> Float:
        """`count` invented clips of log-mel, (count, frames, n_mels).

        frames: any number; None stands for the VQ-VAE's `frames`. Raises UserError for a label
        that it was not trained with.
        """
        stride, margin = self.vqvae.params.stride, self.vqvae.context
        frames = self.vqvae.params.frames if frames is None else frames
        columns = -(-frames // stride) + 2 * margin
        clips = []
        for start in range(0, count, BATCH):
            written = self.columns(min(BATCH, count - start), seed * 1000 + start, label)
            codes = torch.stack(list(itertools.islice(written, columns)), -1)
            clips.append(self.vqvae.decode(codes)[:, margin * stride :][:, :frames])
        return np.concatenate(clips)

    def play(
        self, seed: int, label: str | None = None, after: Float | None = None
    ) -> Iterator[Float]:
        """Log-mel without end, (PIECE * stride, n_mels) at a time, in bounded memory.

        after: log-mel (frames, n_mels) of any length, whose end the music goes on from.
        """
        margin, stride = self.vqvae.context, self.vqvae.params.stride
        columns = 0 if after is None else min(len(after) // stride, self.memory)
        heard, last = None, []
        if after is not None and columns:
            heard = self.vqvae.latents(after[None, len(after) - columns * stride :])
            last = list(self.vqvae.quantise(heard).unbind(-1))[-margin:]
        yield from self._spoken(self.columns(1, seed, label, heard), last)

    def vary(
        self,
        read: Callable[[int, int], Float],
        frames: int,
        seed: int,
        strength: float,
        label: str | None = None,
    ) -> Iterator[Float]:
        """A track of `frames` frames again, otherwise; the same length, in bounded memory.

        read: `read(start, stop)` gives its log-mel (stop - start, n_mels). strength: from 0, what
        the VQ-VAE leaves of it, to 1, music of its own.
        """
        written = self.vqvae.encode_pieces(read, frames)
        if strength > 0:
            written = self.varied(written, seed, strength, label)
        left = frames
        for piece in self._spoken(written, []):
            yield piece[:left]
            left -= len(piece)

    def decoded(self, log_mel: Float) -> Float:
        """What the VQ-VAE leaves of real clips (clips, frames, n_mels) of any length."""
        return np.stack([self.vqvae.rebuild(clip) for clip in log_mel])

    def label_indices(self, count: int, label: str | None) -> Tensor:
        """(count,), of `label`; the index after the last stands for none.

        Raises UserError for a label that it was not trained with.
        """
        if label is not None and label not in self.labels:
            known = ", ".join(self.labels)
            raise UserError(f"latent_prior knows no label {label} (known: {known})")
        index = len(self.labels) if label is None else self.labels.index(label)
        return torch.full((count,), index, device=self.vqvae.device)

    def _spoken(self, written: Iterator[Tensor], heard: list[Tensor]) -> Iterator[Float]:
        """Log-mel of columns of codes (1, books, height), PIECE of them at a time, to the last.

        heard: columns before the first. Each is decoded with those beside it.
        """
        stride, margin = self.vqvae.params.stride, self.vqvae.context
        codes, done = heard, len(heard)  # of the columns in `codes`
        while True:
            codes = codes + list(itertools.islice(written, done + PIECE + margin - len(codes)))
            if len(codes) == done:
                return
            mel = self.vqvae.decode(torch.stack(codes, -1))[0]
            yield mel[done * stride : (done + PIECE) * stride]
            done = min(done + PIECE, len(codes))
            codes, done = codes[max(done - margin, 0) :], min(done, margin)
