"""The trained VQ-VAE as other stages use it: log-mel in, codes out, and back."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.audio.layout import from_network, to_network
from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.audio.pieces import in_pieces
from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.network import VQVAE
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]

BATCH = 16  # clips that pass the network at once
PIECE = 1024  # frames of a long track that do


class TrainedVQVAE:
    """A VQ-VAE with the normalisation it was trained with, in eval mode.

    Clips are log-mel (clips, frames, n_mels) in ln units, frames a multiple of the stride; latents
    and codes are tensors on the network's device, (clips, ..., n_mels / stride, frames / stride).
    Codes have the codebook as second axis, however many there are.
    """

    def __init__(
        self, network: VQVAE, params: VQVAEParams, audio: MelConfig, mean: float, std: float
    ) -> None:
        self.network, self.params, self.audio = network.eval(), params, audio
        self.mean, self.std = mean, std

    @property
    def device(self) -> torch.device:
        """Where the network is now."""
        return next(self.network.parameters()).device

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/vqvae. Raises UserError on a mel mismatch or broken files."""
        weights, config = load_model(folder, audio)
        params = parse(VQVAEParams, config["params"], "params", str(folder / "config.json"))
        network = restore(lambda: VQVAE(params), weights, folder)
        return cls(network.to(device), params, audio, config.number("mean"), config.number("std"))

    def save(self, folder: Path) -> None:
        """Write models/vqvae."""
        config = {"params": asdict(self.params), "mean": self.mean, "std": self.std}
        save_model(folder, self.network.state_dict(), config, self.audio)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(code_dim, height, width) of one patch of `frames` frames."""
        stride = self.params.stride
        return self.params.code_dim, self.audio.n_mels // stride, self.params.frames // stride

    @property
    def context(self) -> int:
        """Latent columns on either side that a column's codes, or its sound, depend on."""
        return self.params.residual_blocks + 2

    @torch.no_grad()
    def latents(self, clips: Float) -> Tensor:
        """Continuous latents before quantisation, (clips, code_dim, height, width)."""
        mel = to_network(clips).split(BATCH)
        parts = [(part.to(self.device) - self.mean) / self.std for part in mel]
        return torch.cat([self.network.encode(part) for part in parts])

    @torch.no_grad()
    def quantise(self, latents: Tensor) -> Tensor:
        """Snap continuous latents to code indices, (clips, codebooks, height, width)."""
        return self.network.quantiser(latents.to(self.device)).indices

    def encode(self, clips: Float) -> Tensor:
        """Code indices (clips, codebooks, height, width)."""
        return self.quantise(self.latents(clips))

    def encode_pieces(self, read: Callable[[int, int], Float], frames: int) -> Iterator[Tensor]:
        """Codes of a track of any length, column after column, (1, codebooks, height) each.

        read: `read(start, stop)` gives its log-mel (stop - start, n_mels). In pieces with what
        lies beside them, in bounded memory; the last frame goes on to the end of the last column.
        """
        stride, columns = self.params.stride, -(-frames // self.params.stride)

        def column_rows(start: int, stop: int) -> Float:
            mel = read(start * stride, min(stop * stride, frames))
            whole = np.pad(mel, ((0, (stop - start) * stride - len(mel)), (0, 0)), "edge")
            return whole.reshape(stop - start, -1)

        def work(rows: Float) -> NDArray[Any]:
            codes = self.encode(rows.reshape(1, -1, self.audio.n_mels))[0]
            return codes.flatten(0, 1).T.cpu().numpy()

        margins = (self.context, self.context)
        for piece in in_pieces(column_rows, columns, work, PIECE // stride, margins, 0):
            codes = torch.from_numpy(piece).to(self.device)
            yield from codes.unflatten(1, (self.params.codebooks, -1))[:, None].unbind(0)

    @torch.no_grad()
    def decode(self, indices: Tensor) -> Float:
        """Log-mel of code indices (clips, frames, n_mels), never below the floor of silence."""
        parts = []
        for part in indices.to(self.device).split(BATCH):
            mel = self.network.decode(self.network.quantiser.lookup(part)) * self.std + self.mean
            parts.append(from_network(mel.clamp_min(LOG_SILENCE)))
        return np.concatenate(parts)

    def round_trip(self, clips: Float) -> Float:
        """Clips as the decoder makes them of their codes, each without what lies beside it."""
        return self.decode(self.encode(clips))

    def rebuild(self, log_mel: Float) -> Float:
        """A track of any length through encoder, codebook and decoder: (frames, n_mels) -> same.

        In pieces that overlap, so memory does not grow with the length, and no code is decoded
        without its neighbours.
        """
        stride = self.params.stride

        def work(piece: Float) -> Float:
            padded = np.pad(piece, ((0, -len(piece) % stride), (0, 0)), "edge")
            return self.round_trip(padded[None])[0, : len(piece)]

        margin = 2 * self.context * stride  # of the encoder, then of the decoder
        pieces = in_pieces(
            lambda start, stop: log_mel[start:stop], len(log_mel), work, PIECE, (margin, margin), 0
        )
        return np.concatenate(list(pieces))


load = TrainedVQVAE.load
