"""A transformer over the grid of codes that knows what has been written so far."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from melodygan.models.latent_prior.config import AutoregressiveParams

ABOVE = 2  # rows on either side, and columns before, that a position sees directly
WAVES = 100.0  # longest wave of the rotary positions, in columns or rows, over 2 pi


class Cache:
    """Keys and values of the last `size` positions of one layer, (batch, heads, size, dim)."""

    def __init__(self, size: int) -> None:
        self.size, self.written = size, 0
        self.keys = self.values = torch.empty(0)

    def add(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add one position, (batch, heads, 1, dim); all that are there, in no order."""
        if not self.written:
            shape = (*key.shape[:2], self.size, key.shape[3])
            self.keys, self.values = key.new_empty(shape), key.new_empty(shape)
        slot = self.written % self.size
        self.keys[:, :, slot], self.values[:, :, slot] = key[:, :, 0], value[:, :, 0]
        self.written += 1
        there = min(self.written, self.size)
        return self.keys[:, :, :there], self.values[:, :, :there]


class Block(nn.Module):
    """Pre-norm attention and perceptron; dropout in the perceptron only."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(2)])
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.from_heads = nn.Linear(channels, channels)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, angles: Tensor, cache: Cache | None = None) -> Tensor:
        """(batch, positions, channels) -> the same; with a cache, of one position only.

        angles: (positions, channels / heads / 2), of the rotary positions.
        """
        batch, positions, channels = x.shape
        qkv = self.to_qkv(self.norms[0](x)).view(batch, positions, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        query, key = rotate(query, angles), rotate(key, angles)
        if cache is not None:
            key, value = cache.add(key, value)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=cache is None)
        x = x + self.from_heads(seen.transpose(1, 2).reshape(batch, positions, channels))
        return x + self.perceptron(self.norms[1](x))


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn pairs of channels of (..., positions, dim) by angles (positions, dim / 2)."""
    first, second = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class Grid(NamedTuple):
    """The grid of a VQ-VAE. codes: (books, size, dim), of its codebooks; height: its rows."""

    codes: Tensor
    height: int


class GridTransformer(nn.Module):
    """Codes (batch, books, height, width) -> for each, logits of all that could stand there.

    Positions follow each other column by column, from the lowest row up. Each sees the vectors of
    the codes next to it that are written already (as a masked convolution does; van den Oord et
    al. 2016, https://arxiv.org/abs/1606.05328) and, by attention, everything before it. The vectors
    are the VQ-VAE's own, so codes that sound alike are alike from the first step on. The codes of
    one position are written in turn, the later ones from the earlier ones by a small perceptron.
    """

    codes: Tensor

    def __init__(self, params: AutoregressiveParams, grid: Grid, labels: int) -> None:
        super().__init__()
        channels = params.channels
        self.heads, self.height = params.heads, grid.height
        books, size, dim = grid.codes.shape
        scale = grid.codes[0].std(0).square().mean().sqrt().clamp_min(1e-6)
        self.register_buffer("codes", grid.codes / scale, persistent=False)
        taps = ABOVE * (2 * ABOVE + 1) + ABOVE
        self.enter = nn.Linear(taps * (dim + 1), channels)
        self.row = nn.Embedding(grid.height, channels)
        self.label = nn.Embedding(labels + 1, channels)  # the last one stands for none
        self.blocks = nn.ModuleList(
            [Block(channels, params.heads, params.dropout) for _ in range(params.layers)]
        )
        self.norm = nn.LayerNorm(channels)
        self.later = nn.ModuleList([Later(dim, channels) for _ in range(books - 1)])
        self.out = nn.ModuleList([nn.Linear(channels, size) for _ in range(books)])
        self.query = nn.ModuleList([nn.Linear(channels, dim) for _ in range(books)])
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, codes: Tensor, labels: Tensor) -> Tensor:
        """Logits (batch, books, height, width, size). labels: (batch,) indices."""
        batch, books, height, width = codes.shape
        vectors = [self.vectors(codes, book) for book in range(books)]
        neighbours = self.neighbours(torch.stack(vectors).sum(0))
        index = torch.arange(width * height, device=codes.device)
        hidden = self.trunk(neighbours, index, labels)
        logits = []
        for book in range(books):
            if book:
                before = vectors[book - 1].transpose(1, 2).reshape(batch, width * height, -1)
                hidden = self.later[book - 1](hidden, before)
            logits.append(self.logits(hidden, book))
        grid = torch.stack(logits, 1).unflatten(2, (width, height))
        return grid.transpose(2, 3)

    def vectors(self, codes: Tensor, book: int) -> Tensor:
        """What the codes of one book stand for, (batch, height, width, dim)."""
        return self.codes[book][codes[:, book]]

    def neighbours(self, vectors: Tensor) -> Tensor:
        """Vectors next to each position that come before it, (batch, positions, taps).

        vectors: (batch, height, width, dim). Beyond the edges there is zero; one more channel tells
        it from a vector.
        """
        batch, height, width, _ = vectors.shape
        there = functional.pad(vectors, (0, 1), value=1.0)
        padded = functional.pad(there, (0, 0, ABOVE, 0, ABOVE, ABOVE)).transpose(1, 2)
        earlier = [
            padded[:, column : column + width, row : row + height]
            for column in range(ABOVE)
            for row in range(2 * ABOVE + 1)
        ]
        below = [padded[:, ABOVE:, row : row + height] for row in range(ABOVE)]
        return torch.cat([*earlier, *below], -1).reshape(batch, width * height, -1)

    def trunk(
        self, neighbours: Tensor, index: Tensor, labels: Tensor, caches: list[Cache] | None = None
    ) -> Tensor:
        """Hidden states (batch, positions, channels) of positions `index` from the start."""
        rows = self.row(index % self.height)
        x = self.enter(neighbours) + rows + self.label(labels)[:, None]
        angles = self.angles(index)
        for i, block in enumerate(self.blocks):
            x = block(x, angles, caches and caches[i])
        return self.norm(x)

    def logits(self, hidden: Tensor, book: int) -> Tensor:
        """(..., channels) -> (..., size): free ones, and by nearness to a vector asked for."""
        return self.out[book](hidden) + self.query[book](hidden) @ self.codes[book].T

    def angles(self, index: Tensor) -> Tensor:
        """Half of the waves by column, half by row; double precision, for columns without end."""
        count = self.enter.out_features // self.heads // 4
        waves = torch.arange(count, device=index.device, dtype=torch.float64)
        speed = WAVES ** -(waves / count)
        column, row = index // self.height, index % self.height
        both = [at[:, None].double() * speed for at in (column, row)]
        return torch.remainder(torch.cat(both, 1), 2 * torch.pi).float()


class Later(nn.Module):
    """What the code before, at the same position, tells about the next one."""

    def __init__(self, dim: int, channels: int) -> None:
        super().__init__()
        self.enter = nn.Linear(channels + dim, 2 * channels)
        self.leave = nn.Linear(2 * channels, channels)

    def forward(self, hidden: Tensor, before: Tensor) -> Tensor:
        """(..., channels), (..., dim) -> (..., channels)."""
        x = functional.gelu(self.enter(torch.cat([hidden, before], -1)))
        return hidden + self.leave(x)
