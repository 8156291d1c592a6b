"""A vocoder as other stages use it: log-mel of a whole song in, samples out.

The contract of a kind's network, which streaming and export build on: `forward(log_mel, lead)`
turns (batch, n_mels, frames) into (batch, frames * hop_length), whatever the number of frames.
lead: None, or (batch, samples), the sound already made of the first frames, whose phase a network
without a phase of its own takes up; the others ignore it. Hidden in the result, it is cut off.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melodygan.audio.layout import to_network
from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.training.weights import save_model

Float = NDArray[np.float32]

PIECE = 2048  # frames that are synthesised at once: 80 MB of memory with the default kind
CONTEXT = 32  # frames more on both sides of a piece
FADE = 4  # frames in which one piece's sound passes into the next one's


class Vocoder:
    """Any kind behind one interface. params: of the whole group, with the kind."""

    def __init__(self, params: VocoderParams, audio: MelConfig, network: nn.Module) -> None:
        self.params, self.audio, self.network = params, audio, network.eval()

    def save(self, folder: Path) -> None:
        """Write models/vocoder."""
        save_model(folder, self.network.state_dict(), {"params": asdict(self.params)}, self.audio)

    def synthesise(self, log_mel: Float) -> Float:
        """Sound of a log-mel (frames, n_mels) in ln units: (frames * hop_length,), unclipped.

        Deterministic on a CPU.
        """
        pieces = self.synthesise_pieces(lambda start, stop: log_mel[start:stop], len(log_mel))
        return np.concatenate(list(pieces))

    def synthesise_pieces(
        self, read: Callable[[int, int], Float], frames: int, piece: int | None = None
    ) -> Iterator[Float]:
        """The same in pieces of so many frames, in bounded memory. read(start, stop): those frames.

        piece: at least CONTEXT; None stands for PIECE. A frame is read as late as it can be, and
        never again once a piece begins CONTEXT after it.
        """
        piece = piece or PIECE
        if self.reach is None:
            yield from self._faded_pieces(read, frames, piece)
            return
        stream = Stream(self)
        for start in range(0, frames, piece):
            stop = min(start + piece, frames)
            yield stream.push(np.array(read(start, stop)), last=stop == frames)

    @property
    def reach(self) -> int | None:
        """Frames on each side that a sample depends on; None where there is no such limit."""
        return getattr(self.network, "reach", None)

    def _faded_pieces(
        self, read: Callable[[int, int], Float], frames: int, piece: int
    ) -> Iterator[Float]:
        """Pieces of which each takes up the phase of the one before, and is faded into it."""
        hop = self.audio.hop_length
        fade = torch.linspace(0, 1, FADE * hop)
        tail: Tensor | None = None  # sound of the piece before, from CONTEXT before its end
        for start in range(0, frames, piece):
            stop = min(start + piece, frames)
            before = min(start, CONTEXT)
            mel = to_network(np.array(read(start - before, min(stop + FADE, frames))))
            lead = None if tail is None else tail[:, : before * hop]
            sound = self.network_pass(mel, lead)
            if tail is not None:
                middle = slice(before * hop, (before + FADE) * hop)
                old, new = tail[:, before * hop :], sound[:, middle]
                width = min(old.shape[1], new.shape[1])
                ramp = fade[:width]
                sound[:, middle][:, :width] = old[:, :width] * (1 - ramp) + new[:, :width] * ramp
            end = (before + stop - start) * hop
            tail = sound[:, max(end - CONTEXT * hop, 0) :]
            yield sound[0, before * hop : end].numpy()

    @torch.no_grad()
    def network_pass(self, mel: Tensor, lead: Tensor | None) -> Tensor:
        """The network on its device: (batch, n_mels, frames) -> (batch, samples) on the CPU."""
        device = next((p.device for p in self.network.parameters()), torch.device("cpu"))
        sound: Tensor = self.network(mel.to(device), None if lead is None else lead.to(device))
        return sound.float().cpu()


class Stream:
    """Sound of a log-mel that arrives in chunks, the same as of all of it at once.

    For the kinds with a `reach` (vocos, melgan, hifigan): the sound lags so many frames behind,
    `look_ahead` seconds. Twice the reach and a chunk are kept. Raises ValueError for other kinds.
    """

    def __init__(self, vocoder: Vocoder) -> None:
        if vocoder.reach is None:
            raise ValueError(f"vocoder kind {vocoder.params.kind} cannot stream exactly")
        self.vocoder, self.reach = vocoder, vocoder.reach
        self.look_ahead = self.reach / vocoder.audio.frame_rate
        self.kept = np.zeros((0, vocoder.audio.n_mels), np.float32)
        self.done = 0  # frames of `kept` whose sound has been given out

    def push(self, log_mel: Float, last: bool = False) -> Float:
        """The sound that (frames, n_mels) more make certain, (samples,), which may be none.

        last: nothing follows, so that the sound of all frames is given out.
        """
        hop = self.vocoder.audio.hop_length
        self.kept = np.concatenate([self.kept, log_mel])
        ready = len(self.kept) - (0 if last else self.reach)
        if ready <= self.done:
            return np.zeros(0, np.float32)
        sound = self.vocoder.network_pass(to_network(self.kept), None)[
            0, self.done * hop : ready * hop
        ]
        drop = max(0, ready - self.reach)
        self.kept, self.done = self.kept[drop:], ready - drop
        return sound.numpy()


def own_params(params: VocoderParams) -> Any:
    """The settings of the chosen kind."""
    return getattr(params, params.kind)
