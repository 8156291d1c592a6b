"""Sampling column after column, from cached keys of a window that slides."""

import torch
from torch import Tensor
from torch.nn import functional

from melodygan.models.latent_prior.autoregressive.network import ABOVE, Cache, GridTransformer
from melodygan.models.latent_prior.config import AutoregressiveParams


class Stream:
    """`len(labels)` pieces of music that go on for ever, column by column of codes.

    labels: (pieces,) indices. Each position sees as many before it as a training window has, so
    memory and time per column do not grow. With guidance other than 1 every piece is also
    continued without a label, and the logits are carried on from that one's (Ho and Salimans 2022).
    lean: how many nats a code costs that is as far from the one in `like` as two codes are on
    average; see `column`.
    """

    def __init__(
        self,
        network: GridTransformer,
        params: AutoregressiveParams,
        labels: Tensor,
        seed: int,
        lean: float = 0.0,
    ) -> None:
        self.network, self.params = network, params
        self.pieces, self.guided = len(labels), params.guidance != 1.0
        unlabelled = torch.full_like(labels, network.label.num_embeddings - 1)
        self.labels = torch.cat([labels, unlabelled]) if self.guided else labels
        size = params.columns * network.height
        self.caches = [Cache(size) for _ in network.blocks]
        dim = network.codes.shape[2]
        # the last columns and the present one, with room for neighbours above and below
        shape = (self.pieces, ABOVE + 1, network.height + 2 * ABOVE, dim + 1)
        self.recent = torch.zeros(shape, device=labels.device)
        self.position = 0
        self.random = torch.Generator().manual_seed(seed)
        self.lean = lean

    @torch.no_grad()
    def column(self, given: Tensor | None = None, like: Tensor | None = None) -> Tensor:
        """The next column of codes, (pieces, books, height).

        given: taken as it is. like: codes are drawn, and those that sound like it are preferred.
        """
        rows = [
            self._position(
                row,
                None if given is None else given[:, :, row],
                None if like is None else like[:, :, row],
            )
            for row in range(self.network.height)
        ]
        self.recent = functional.pad(self.recent[:, 1:], (0, 0, 0, 0, 0, 1))
        return torch.stack(rows, 2)

    def _position(self, row: int, given: Tensor | None, like: Tensor | None) -> Tensor:
        network, rows = self.network, 2 * ABOVE + 1
        near = torch.cat(
            [
                self.recent[:, :ABOVE, row : row + rows].flatten(1),
                self.recent[:, ABOVE, row : row + ABOVE].flatten(1),
            ],
            1,
        )[:, None]
        near = near.repeat(2, 1, 1) if self.guided else near
        index = torch.tensor([self.position], device=near.device)
        hidden = network.trunk(near, index, self.labels, self.caches)[:, 0]
        chosen: list[Tensor] = []
        total = torch.zeros_like(network.codes[0][:1]).repeat(self.pieces, 1)
        for book in range(len(network.codes)):
            if book:
                before = network.codes[book - 1][chosen[-1]]
                hidden = network.later[book - 1](
                    hidden, before.repeat(2, 1) if self.guided else before
                )
            if given is None:
                logits = network.logits(hidden, book)
                if like is not None:
                    logits = logits - self._farness(like[:, book], book)
                chosen.append(self._draw(logits))
            else:
                chosen.append(given[:, book])
            total = total + network.codes[book][chosen[-1]]
        self.recent[:, ABOVE, row + ABOVE] = functional.pad(total, (0, 1), value=1.0)
        self.position += 1
        return torch.stack(chosen, 1)

    def _farness(self, wanted: Tensor, book: int) -> Tensor:
        """What each code of a book costs, (rows of logits, size), where `wanted` would be right."""
        codes = self.network.codes[book]
        square = torch.cdist(codes[wanted], codes).square()
        usual = 2 * codes.var(0, correction=0).sum()  # squared distance of two codes, on average
        cost = self.lean * square / usual
        return cost.repeat(2, 1) if self.guided else cost

    def _draw(self, logits: Tensor) -> Tensor:
        """One code for each piece, from the likeliest that hold `top_p` of the probability."""
        if self.guided:
            labelled, free = logits.chunk(2)
            logits = free + self.params.guidance * (labelled - free)
        share = (logits.float() / self.params.temperature).softmax(-1).cpu()
        if self.params.top_p < 1:
            ordered, order = share.sort(-1, descending=True)
            ordered[ordered.cumsum(-1) - ordered >= self.params.top_p] = 0
            share = torch.zeros_like(share).scatter(1, order, ordered)
        return torch.multinomial(share, 1, generator=self.random)[:, 0].to(logits.device)
