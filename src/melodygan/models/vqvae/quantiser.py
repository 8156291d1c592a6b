"""The codebook: nearest code, moving averages, data-dependent start, restart of dead codes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Quantised(NamedTuple):
    """codes: (batch, dim, height, width), straight-through. indices: (batch, books, height, width).

    commitment: mean squared distance of the input from its (constant) codes, a scalar.
    """

    codes: Tensor
    indices: Tensor
    commitment: Tensor


class Quantiser(nn.Module):
    """Codebooks in a row, each of which quantises what those before it have left over.

    One is the VQ-VAE's; more are the residual quantiser of Zeghidour et al. 2021, "SoundStream"
    (https://arxiv.org/abs/2107.03312), section III-C. The codes of a position add up.
    """

    books: Any  # a ModuleList of Codebook, which does not tell the type of what it holds

    def __init__(self, books: int, size: int, dim: int, decay: float, restart_below: float) -> None:
        super().__init__()
        self.books = nn.ModuleList(
            [Codebook(size, dim, decay, restart_below) for _ in range(books)]
        )

    def forward(
        self, latents: Tensor, gather: Callable[[Tensor], Tensor] = lambda own: own
    ) -> Quantised:
        """Quantise latents of shape (batch, dim, height, width). gather: see `Codebook`."""
        # distances between close codes need full precision, whatever the rest runs in
        with torch.autocast(latents.device.type, enabled=False):
            vectors = latents.float().movedim(1, -1)
            rest, indices = vectors.detach().flatten(0, 2), []
            for book in self.books:
                codes, index = book(rest, gather)
                rest = rest - codes
                indices.append(index.reshape(vectors.shape[:-1]))
            total = vectors.detach() - rest.reshape(vectors.shape)
            commitment = (vectors - total).square().mean()
            passed = vectors + (total - vectors).detach()
        return Quantised(passed.movedim(-1, 1), torch.stack(indices, 1), commitment)

    @torch.no_grad()
    def draw(self, latents: Tensor, softness: float, seed: int) -> Tensor:
        """Indices drawn from codes near the latents (batch, dim, height, width).

        The chance of a code falls with its squared distance, exp(-distance / (softness * d)), where
        d is the mean squared distance of the nearest ones (Lee et al. 2022, RQ-VAE,
        https://arxiv.org/abs/2203.01941, section 3.2.3). softness 0 gives the nearest.
        """
        vectors = latents.float().movedim(1, -1)
        rest, indices = vectors.flatten(0, 2), []
        random = torch.Generator().manual_seed(seed)
        for book in self.books:
            distances = torch.cdist(rest, book.codes).square()
            if softness:
                scale = softness * distances.amin(1).mean()
                noise = torch.rand(distances.shape, generator=random).to(rest.device)
                distances = distances / scale + (-noise.clamp_min(1e-20).log()).log()
            index = distances.argmin(1)
            rest = rest - book.codes[index]
            indices.append(index.reshape(vectors.shape[:-1]))
        return torch.stack(indices, 1)

    def lookup(self, indices: Tensor) -> Tensor:
        """Codes of indices; (batch, books, height, width) -> (batch, dim, height, width)."""
        parts = [book.codes[indices[:, i]] for i, book in enumerate(self.books)]
        return torch.stack(parts).sum(0).movedim(-1, 1)


class Codebook(nn.Module):
    """`size` codes of `dim` numbers that follow the encoder's outputs, without gradients.

    Each code is the moving average of the vectors assigned to it (van den Oord et al. 2017,
    appendix A.1). In training mode `forward` also updates the codes. The first batch initialises
    them with its own vectors; a code whose average use per batch falls below `restart_below` of the
    mean use is put on a random vector of the batch, and stays if it is used from then on. Without
    restarts most codes are never used again. In a data-parallel run the batch is that of all
    processes, which `gather` joins, so all keep the same codes.
    """

    codes: Tensor
    use: Tensor
    sums: Tensor
    started: Tensor

    def __init__(self, size: int, dim: int, decay: float, restart_below: float) -> None:
        super().__init__()
        self.size, self.decay, self.restart_below = size, decay, restart_below
        self.register_buffer("codes", torch.randn(size, dim))
        self.register_buffer("use", torch.ones(size))
        self.register_buffer("sums", torch.zeros(size, dim))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def forward(
        self, vectors: Tensor, gather: Callable[[Tensor], Tensor] = lambda own: own
    ) -> tuple[Tensor, Tensor]:
        """The nearest codes (n, dim) of vectors (n, dim), and their indices (n,)."""
        if self.training:
            everyones = gather(vectors)
            self._start(everyones)
        indices = self.nearest(vectors)
        codes = self.codes[indices]
        if self.training:
            self._follow(everyones, gather(indices))
        return codes, indices

    def nearest(self, vectors: Tensor) -> Tensor:
        """Index of the nearest code of each vector; (n, dim) -> (n,)."""
        # |v - c|^2 without |v|^2, which is the same for every code
        return (self.codes.square().sum(1) - 2 * vectors @ self.codes.T).argmin(1)

    def _start(self, vectors: Tensor) -> None:
        if not self.started:
            self.codes.copy_(self._pick(vectors, self.size))
            self.sums.copy_(self.codes)
            self.started.fill_(True)

    def _follow(self, vectors: Tensor, indices: Tensor) -> None:
        use = torch.zeros_like(self.use).index_add_(0, indices, torch.ones_like(vectors[:, 0]))
        sums = torch.zeros_like(self.sums).index_add_(0, indices, vectors)
        self.use.lerp_(use, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        threshold = self.restart_below * len(vectors) / self.size
        dead = self.use < threshold
        alive = 2 * threshold  # for some steps; then, if it is not used, it is dead again
        fresh = self._pick(vectors, self.size) * alive
        self.sums.copy_(torch.where(dead[:, None], fresh, self.sums))
        self.use.copy_(torch.where(dead, torch.full_like(self.use, alive), self.use))
        self.codes.copy_(self.sums / self.use[:, None])

    @staticmethod
    def _pick(vectors: Tensor, count: int) -> Tensor:
        """`count` random vectors; all different ones first when there are enough."""
        order = torch.randperm(len(vectors), device=vectors.device)
        return vectors[order.repeat(-(-count // len(vectors)))[:count]]


def perplexity(indices: Tensor, size: int) -> float:
    """Effective number of codes in use, exp of the entropy of their frequencies: 1 to `size`."""
    share = torch.bincount(indices.flatten(), minlength=size).double() / indices.numel()
    share = share[share > 0]
    return float(torch.exp(-(share * share.log()).sum()))
