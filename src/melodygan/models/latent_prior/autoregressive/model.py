"""The trained transformer: columns of codes, written one code after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from melodygan.models.latent_prior.autoregressive.network import Grid, GridTransformer
from melodygan.models.latent_prior.autoregressive.stream import Stream
from melodygan.models.latent_prior.config import AutoregressiveParams
from melodygan.models.latent_prior.prior import TrainedPrior
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.params import parse
from melodygan.training.weights import Config, restore

LEAN = 12.0  # nats, see `Stream`, of a variation at strength one half: evenly between the ends


class TrainedAutoregressive(TrainedPrior):
    """A transformer that continues what it has written."""

    kind = "autoregressive"
    network: GridTransformer

    def __init__(
        self,
        network: GridTransformer,
        params: AutoregressiveParams,
        vqvae: TrainedVQVAE,
        labels: Sequence[str],
    ) -> None:
        super().__init__(network, vqvae, labels)
        self.params = params
        self.memory = params.columns + vqvae.context

    @classmethod
    def restored(
        cls, weights: dict[str, Tensor], config: Config, vqvae: TrainedVQVAE, folder: Path
    ) -> Self:
        """The model in `folder`, on the VQ-VAE's device. Raises UserError for broken files."""
        params = parse(AutoregressiveParams, config["params"], "params", str(config.path))
        labels = config.names("labels")
        make = lambda: GridTransformer(params, grid_of(vqvae), len(labels))  # noqa: E731
        return cls(restore(make, weights, folder).to(vqvae.device), params, vqvae, labels)

    def tempered(self, temperature: float) -> Self:
        """The same at another temperature: what the logits are divided by, above 0."""
        params = replace(self.params, temperature=temperature)
        return type(self)(self.network, params, self.vqvae, self.labels)

    def columns(
        self, count: int, seed: int, label: str | None, heard: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Columns of codes of `count` pieces without end, each (count, books, height).

        heard: latents (1, code_dim, height, columns), which the music goes on from.
        """
        stream = self.stream(count, seed, label)
        if heard is not None:
            for column in self.vqvae.quantise(heard).unbind(-1):
                stream.column(given=column)
        while True:
            yield stream.column()

    def varied(
        self, written: Iterator[Tensor], seed: int, strength: float, label: str | None
    ) -> Iterator[Tensor]:
        """As many columns of codes, (1, books, height), as `written` has, more or less like them.

        Each code is drawn from what the transformer expects after what it has written, times a
        preference for codes that sound like the one in its place.
        """
        stream = self.stream(1, seed, label, LEAN * (1 - strength) / strength)
        for column in written:
            yield stream.column(like=column)

    def stream(self, count: int, seed: int, label: str | None, lean: float = 0.0) -> Stream:
        """`count` pieces of a label. Raises UserError for one that it was not trained with."""
        return Stream(self.network, self.params, self.label_indices(count, label), seed, lean)


def grid_of(vqvae: TrainedVQVAE) -> Grid:
    """The VQ-VAE's codebooks and rows, as the transformer wants them."""
    codes = torch.stack([book.codes for book in vqvae.network.quantiser.books])
    return Grid(codes.detach().clone(), vqvae.latent_shape[1])
