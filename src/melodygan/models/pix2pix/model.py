"""The trained Pix2Pix as other stages use it: a stem of whole songs."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.layout import from_network, to_network
from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.audio.pieces import in_pieces
from melodygan.blocks.scale import Scale
from melodygan.models.pix2pix.config import Pix2PixParams
from melodygan.models.pix2pix.network import Generator, levels_of
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]

SOURCE = "mix"  # the stem that the others are made of


def make_generator(params: Pix2PixParams, audio: MelConfig, scale: Scale) -> Generator:
    """An untrained generator of the kind and size in params."""
    levels = levels_of(audio.n_mels, params.frames)
    unit = 2 / (scale.top - LOG_SILENCE)
    return Generator(params.width, levels, params.dropout, params.output == "mask", unit)


class TrainedPix2Pix:
    """Makes the stem `params.task` of a mix.

    generator: None where there were no pairs. loudness: LUFS, of the mixes that it learnt from.
    """

    def __init__(
        self,
        generator: Generator | None,
        params: Pix2PixParams,
        audio: MelConfig,
        scale: Scale,
        loudness: float,
    ) -> None:
        self.generator, self.params, self.audio, self.scale = generator, params, audio, scale
        self.loudness = loudness

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/pix2pix. Raises UserError on a mel mismatch or broken files."""
        weights, config = load_model(folder, audio)
        params = parse(Pix2PixParams, config["params"], "params", str(folder / "config.json"))
        scale = Scale(config.number("top"))
        if not scale.top > LOG_SILENCE:
            raise config.wrong("`top` must be above silence")
        generator = None
        if config.pairs("directions"):
            generator = restore(lambda: make_generator(params, audio, scale), weights, folder)
            generator = generator.to(device).eval()
        return cls(generator, params, audio, scale, config.number("loudness"))

    def save(self, folder: Path) -> None:
        """Write models/pix2pix."""
        weights = self.generator.state_dict() if self.generator else {}
        config = {
            "params": asdict(self.params),
            "directions": [list(direction) for direction in self.directions],
            "top": self.scale.top,
            "loudness": self.loudness,
        }
        save_model(folder, weights, config, self.audio)

    @property
    def directions(self) -> list[tuple[str, str]]:
        """(source stem, target stem); none where there were no pairs to learn from."""
        return [(SOURCE, self.params.task)] if self.generator else []

    @property
    def stems(self) -> list[str]:
        """Those that it makes."""
        return [target for _, target in self.directions]

    def convert(self, log_mel: Float, source: str, target: str) -> Float:
        """A mix of any length: log-mel (frames, n_mels) in ln units -> the stem, the same shape.

        Raises UserError for a stem that was not learnt.
        """
        pieces = self.convert_pieces(lambda a, b: log_mel[a:b], len(log_mel), source, target)
        return np.concatenate(list(pieces))

    def convert_pieces(
        self, read: Callable[[int, int], Float], frames: int, source: str, target: str
    ) -> Iterator[Float]:
        """The same piece after piece, in bounded memory. read: see `audio.pieces.in_pieces`.

        Instance normalisation takes its statistics from all that it sees, so pieces are as long as
        training patches, with half of one more on both sides.
        """
        if (source, target) not in self.directions:
            raise UserError(
                f"models/pix2pix cannot make {target} of {source} (trained: "
                f"{', '.join(self.stems) or 'none'} of {SOURCE}): set pix2pix.task in params.yaml "
                "and run `dvc repro pix2pix`"
            )
        patch = self.params.frames
        return in_pieces(read, frames, self._pass, patch, (patch // 2, patch // 2), patch // 2)

    @torch.no_grad()
    def _pass(self, log_mel: Float) -> Float:
        """One pass of the generator, (frames, n_mels) -> the same shape."""
        assert self.generator
        device = next(self.generator.parameters()).device
        unit = self.scale.to_unit(to_network(log_mel)[:, None].to(device))
        return from_network(self.scale.to_log(self.generator(unit)[:, 0]))[0]


load = TrainedPix2Pix.load
