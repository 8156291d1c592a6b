"""The trained CycleGAN as other stages use it: whole songs in either direction."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from melodygan.audio.layout import from_network, to_network
from melodygan.audio.mel import MelConfig
from melodygan.audio.pieces import in_pieces
from melodygan.blocks.scale import Scale
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.network import Generator
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]


class TrainedCycleGAN:
    """Generators by direction (source label, target label)."""

    def __init__(
        self,
        generators: dict[tuple[str, str], Generator],
        params: CycleGANParams,
        audio: MelConfig,
        scale: Scale,
    ) -> None:
        self.generators, self.params, self.audio, self.scale = generators, params, audio, scale
        for generator in generators.values():
            generator.eval()

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/cyclegan. It has no directions when there was only one label to learn.

        Raises UserError on a mel mismatch or broken files.
        """
        weights, config = load_model(folder, audio)
        params = parse(CycleGANParams, config["params"], "params", str(folder / "config.json"))
        generators = {}
        for index, (source, target) in enumerate(config.pairs("directions")):
            prefix = f"{index}."
            own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            generator = restore(lambda: Generator(params.width, params.blocks), own, folder)
            generators[source, target] = generator.to(device)
        return cls(generators, params, audio, Scale(config.number("top")))

    def save(self, folder: Path) -> None:
        """Write models/cyclegan."""
        weights = {
            f"{index}.{name}": value
            for index, generator in enumerate(self.generators.values())
            for name, value in generator.state_dict().items()
        }
        config = {
            "params": asdict(self.params),
            "directions": [list(direction) for direction in self.generators],
            "top": self.scale.top,
        }
        save_model(folder, weights, config, self.audio)

    @property
    def directions(self) -> list[tuple[str, str]]:
        """(source label, target label) of what it can convert."""
        return list(self.generators)

    def convert(self, log_mel: Float, source: str, target: str) -> Float:
        """A track of any length: log-mel (frames, n_mels) in ln units -> the same shape.

        Raises UserError for a direction that was not trained.
        """
        pieces = self.convert_pieces(lambda a, b: log_mel[a:b], len(log_mel), source, target)
        return np.concatenate(list(pieces))

    def convert_pieces(
        self, read: Callable[[int, int], Float], frames: int, source: str, target: str
    ) -> Iterator[Float]:
        """The same piece after piece, in bounded memory. read: see `audio.pieces.in_pieces`.

        Instance normalisation takes its statistics from all that a generator sees. So each piece
        is as long as a training patch, with half of one more on both sides; what lies further
        away has no say in it.
        """
        if (source, target) not in self.generators:
            known = ", ".join(f"{a} to {b}" for a, b in self.generators) or "none"
            raise UserError(
                f"models/cyclegan cannot convert {source} to {target} (trained: {known}): "
                "set cyclegan.labels in params.yaml and run `dvc repro cyclegan`"
            )
        generator = self.generators[source, target]
        patch = self.params.frames
        margins = patch // 2, patch // 2
        return in_pieces(
            read, frames, lambda mel: self._pass(generator, mel), patch, margins, patch // 2
        )

    @torch.no_grad()
    def _pass(self, generator: Generator, log_mel: Float) -> Float:
        """One pass of a generator, (frames, n_mels) -> the same shape."""
        mel = to_network(log_mel)[:, None].to(next(generator.parameters()).device)
        height, frames = mel.shape[2:]
        # both sizes must be multiples of 4; too short a track must survive reflection padding
        wider = functional.pad(
            self.scale.to_unit(mel), (0, max(-frames % 4, 32 - frames), 0, -height % 4), "replicate"
        )
        return from_network(self.scale.to_log(generator(wider))[:, 0, :height, :frames])[0]


load = TrainedCycleGAN.load
