"""The trained prior as other stages use it: clips, and music without end."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.audio.mel import MelConfig
from melodygan.models.latent_prior.config import LatentPriorParams
from melodygan.models.latent_prior.network import Grid, GridTransformer
from melodygan.models.latent_prior.stream import Stream
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]

BATCH = 64  # clips that are made at once
PIECE = 2  # columns that are decoded at once
LEAN = 12.0  # nats, see `Stream`, of a variation at strength one half: evenly between the ends


class TrainedLatentPrior:
    """A transformer with the VQ-VAE whose codes it writes.

    labels: those that it can be asked for.
    """

    def __init__(
        self,
        network: GridTransformer,
        params: LatentPriorParams,
        vqvae: TrainedVQVAE,
        labels: Sequence[str],
    ) -> None:
        self.network, self.params, self.vqvae = network.eval(), params, vqvae
        self.labels = tuple(labels)

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/latent_prior, and the VQ-VAE beside it.

        Raises UserError on a mel mismatch or broken files.
        """
        vqvae = TrainedVQVAE.load(folder.parent / "vqvae", audio, device)
        weights, config = load_model(folder, audio)
        params = parse(LatentPriorParams, config["params"], "params", str(folder / "config.json"))
        labels = config.names("labels")
        make = lambda: GridTransformer(params, grid_of(vqvae), len(labels))  # noqa: E731
        return cls(restore(make, weights, folder).to(device), params, vqvae, labels)

    def save(self, folder: Path) -> None:
        """Write models/latent_prior."""
        config = {"params": asdict(self.params), "labels": list(self.labels)}
        save_model(folder, self.network.state_dict(), config, self.vqvae.audio)

    def tempered(self, temperature: float) -> Self:
        """The same at another temperature: what the logits are divided by, above 0."""
        params = replace(self.params, temperature=temperature)
        return type(self)(self.network, params, self.vqvae, self.labels)

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
            stream = self._stream(min(BATCH, count - start), seed * 1000 + start, label)
            codes = torch.stack([stream.column() for _ in range(columns)], -1)
            clips.append(self.vqvae.decode(codes)[:, margin * stride :][:, :frames])
        return np.concatenate(clips)

    def play(
        self, seed: int, label: str | None = None, after: Float | None = None
    ) -> Iterator[Float]:
        """Log-mel without end, (PIECE * stride, n_mels) at a time, in bounded memory.

        after: log-mel (frames, n_mels) of any length, whose end the music goes on from.
        """
        stream, margin = self._stream(1, seed, label), self.vqvae.context
        stride = self.vqvae.params.stride
        columns = 0 if after is None else len(after) // stride
        columns = min(columns, self.params.columns + margin)
        heard: list[Tensor] = []
        if after is not None and columns:
            codes = self.vqvae.encode(after[None, len(after) - columns * stride :])
            heard = [stream.column(given=column) for column in codes.unbind(-1)]
        yield from self._spoken((stream.column() for _ in itertools.count()), heard[-margin:])

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
        the VQ-VAE leaves of it, to 1, music of its own. Between, each code is drawn from what the
        prior expects after what it has written, times a preference for codes that sound like the
        track's.
        """
        written = self.vqvae.encode_pieces(read, frames)
        if strength > 0:
            stream = self._stream(1, seed, label, LEAN * (1 - strength) / strength)
            written = (stream.column(like=column) for column in written)
        left = frames
        for piece in self._spoken(written, []):
            yield piece[:left]
            left -= len(piece)

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

    def decoded(self, log_mel: Float) -> Float:
        """What the VQ-VAE leaves of real clips (clips, frames, n_mels) of any length."""
        return np.stack([self.vqvae.rebuild(clip) for clip in log_mel])

    def _stream(self, count: int, seed: int, label: str | None, lean: float = 0.0) -> Stream:
        if label is not None and label not in self.labels:
            known = ", ".join(self.labels)
            raise UserError(f"latent_prior knows no label {label} (known: {known})")
        index = len(self.labels) if label is None else self.labels.index(label)
        labels = torch.full((count,), index, device=self.vqvae.device)
        return Stream(self.network, self.params, labels, seed, lean)


def grid_of(vqvae: TrainedVQVAE) -> Grid:
    """The VQ-VAE's codebooks and rows, as the transformer wants them."""
    codes = torch.stack([book.codes for book in vqvae.network.quantiser.books])
    return Grid(codes.detach().clone(), vqvae.latent_shape[1])


load = TrainedLatentPrior.load
