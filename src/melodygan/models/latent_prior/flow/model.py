"""The trained flow: windows of latents out of noise, each going on from the one before."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from melodygan.models.latent_prior.config import FlowParams
from melodygan.models.latent_prior.flow.network import VelocityNet
from melodygan.models.latent_prior.prior import TrainedPrior
from melodygan.models.vqvae.latents import components_of, latents_of, take_statistics
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.params import parse
from melodygan.training.weights import Config, restore


class TrainedFlow(TrainedPrior):
    """A velocity network with the latents' statistics. mean, basis: of `LatentCrops`."""

    kind = "flow"
    network: VelocityNet

    def __init__(
        self,
        network: VelocityNet,
        params: FlowParams,
        vqvae: TrainedVQVAE,
        mean: Tensor,
        basis: Tensor,
        labels: Sequence[str],
    ) -> None:
        super().__init__(network, vqvae, labels)
        self.params, self.mean, self.basis = params, mean, basis
        self.overlap = overlap_of(params)  # columns of a window that are those of the one before
        self.memory = self.overlap + vqvae.context

    @classmethod
    def restored(
        cls, weights: dict[str, Tensor], config: Config, vqvae: TrainedVQVAE, folder: Path
    ) -> Self:
        """The model in `folder`, on the VQ-VAE's device. Raises UserError for broken files."""
        params = parse(FlowParams, config["params"], "params", str(config.path))
        labels = config.names("labels")
        mean, basis = take_statistics(weights, vqvae, params.components, folder)
        make = lambda: velocity_net(params, vqvae, len(labels))  # noqa: E731
        network = restore(make, weights, folder).to(vqvae.device)
        return cls(network, params, vqvae, mean, basis, labels)

    def weights(self) -> dict[str, Tensor]:
        """Those of the network, and the statistics."""
        return self.network.state_dict() | {"latent_mean": self.mean, "latent_basis": self.basis}

    def columns(
        self, count: int, seed: int, label: str | None, heard: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Columns of codes of `count` pieces without end, each (count, books, height).

        heard: latents (1, code_dim, height, columns), which the music goes on from.
        """
        labels, random = self.label_indices(count, label), torch.Generator().manual_seed(seed)
        known = self._noise(count, random)[..., :0]
        if heard is not None:
            known = components_of(heard.cpu(), self.mean, self.basis)[..., -self.overlap :]
            known = known.expand(count, -1, -1, -1)
        while True:
            window = self._window(self._noise(count, random), labels, known)
            yield from self._codes(window[..., known.shape[-1] :])
            known = window[..., -self.overlap :]

    def varied(
        self, written: Iterator[Tensor], seed: int, strength: float, label: str | None
    ) -> Iterator[Tensor]:
        """As many columns of codes, (1, books, height), as `written` has, more or less like them.

        Their latents are mixed with noise, as far as they are on the way from it at the time
        1 - strength, and go the rest of the way (Meng et al. 2021,
        https://arxiv.org/abs/2108.01073).
        """
        labels, random = self.label_indices(1, label), torch.Generator().manual_seed(seed)
        quantiser = self.vqvae.network.quantiser
        known = self._noise(1, random)[..., :0]
        while part := list(itertools.islice(written, self.params.columns - known.shape[-1])):
            latents = quantiser.lookup(torch.stack(part, -1)).cpu()
            like = torch.cat([known, components_of(latents, self.mean, self.basis)], -1)
            missing = self.params.columns - like.shape[-1]  # where the track ends
            like = torch.cat([like, like[..., -1:].expand(-1, -1, -1, missing)], -1)
            noise = self._noise(1, random)
            window = self._window(noise, labels, known, like, 1 - strength)
            made = window[..., known.shape[-1] :][..., : len(part)]
            yield from self._codes(made)
            known = window[..., -self.overlap :]

    @torch.no_grad()
    def _window(
        self,
        noise: Tensor,
        labels: Tensor,
        known: Tensor,
        like: Tensor | None = None,
        begin: float = 0.0,
    ) -> Tensor:
        """Whitened latents (batch, components, height, columns) of noise of that shape, on the CPU.

        Euler's method. known: the first columns of the result. like: what the noise has gone
        towards already, up to the time `begin`.
        """
        x = noise if like is None else noise + begin * (like - noise)
        x, known = x.to(self.vqvae.device), known.to(self.vqvae.device)
        given = known.shape[-1]
        times = torch.linspace(begin, 1, self.params.solver_steps + 1).tolist()
        for now, then in itertools.pairwise(times):
            x = torch.cat([known, x[..., given:]], -1)
            x = x + (then - now) * self._velocity(x, given, now, labels)
        return torch.cat([known, x[..., given:]], -1).cpu()

    def _velocity(self, x: Tensor, given: int, time: float, labels: Tensor) -> Tensor:
        """With guidance other than 1, carried on from the velocity without a label."""
        known = x.new_zeros(len(x), x.shape[-1])
        known[:, :given] = 1
        times = x.new_full((len(x),), time)
        if self.params.guidance == 1:
            return self.network(x, known, times, labels)
        without = torch.full_like(labels, len(self.labels))
        twice = x.repeat(2, 1, 1, 1), known.repeat(2, 1), times.repeat(2)
        both = self.network(*twice, torch.cat([labels, without]))
        labelled, free = both.chunk(2)
        return free + self.params.guidance * (labelled - free)

    def _noise(self, count: int, random: torch.Generator) -> Tensor:
        shape = (count, self.params.components, self.vqvae.latent_shape[1], self.params.columns)
        return torch.randn(shape, generator=random)

    def _codes(self, window: Tensor) -> Iterator[Tensor]:
        """The columns of codes that whitened latents are snapped to."""
        yield from self.vqvae.quantise(latents_of(window, self.mean, self.basis)).unbind(-1)


def overlap_of(params: FlowParams) -> int:
    """Columns of a window that are known from the one before."""
    return params.columns // 2


def velocity_net(params: FlowParams, vqvae: TrainedVQVAE, labels: int) -> VelocityNet:
    """The untrained network of these sizes, for the VQ-VAE's latents."""
    return VelocityNet(params.components, vqvae.latent_shape[1], params.channels, labels)
