"""The trained CycleGAN as other stages use it: whole songs in either direction."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from melodygan.audio.histogram import QUANTILES, BandHistograms
from melodygan.audio.layout import from_network, to_network
from melodygan.audio.mel import MelConfig
from melodygan.audio.pieces import in_pieces
from melodygan.blocks.scale import Scale
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.network import Converter, Generator, Simple, UNet
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]
Direction = tuple[str, str]  # source label, target label

LEVELS = ("found", "wanted")  # names of a calibration's quantiles in a model folder


def make_generator(params: CycleGANParams, n_mels: int) -> Converter:
    """An untrained generator of the kind and size in params, for so many bands."""
    if params.generator == "unet":
        return UNet(params.width, params.residual)
    if params.generator == "simple":
        return Simple(params.width, n_mels, params.residual)
    return Generator(params.width, params.blocks, params.residual)


class TrainedCycleGAN:
    """Generators by direction, and what each direction's levels are corrected with.

    Directions to the same label share one generator. calibrations: for all directions or for none;
    see `calibrate`.
    """

    def __init__(
        self,
        generators: dict[Direction, Converter],
        params: CycleGANParams,
        audio: MelConfig,
        scale: Scale,
        calibrations: dict[Direction, BandHistograms] | None = None,
    ) -> None:
        self.generators, self.params, self.audio, self.scale = generators, params, audio, scale
        self.calibrations = calibrations or {}
        for generator in generators.values():
            generator.eval()

    @classmethod
    def load(cls, folder: Path, audio: MelConfig, device: torch.device | None = None) -> Self:
        """Read models/cyclegan. It has no directions when there was only one label to learn.

        Raises UserError on a mel mismatch or broken files.
        """
        weights, config = load_model(folder, audio)
        params = parse(CycleGANParams, config["params"], "params", str(folder / "config.json"))
        directions = config.pairs("directions")
        networks = {}
        for index, label in enumerate(dict.fromkeys(target for _, target in directions)):
            prefix = f"{index}."
            own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            generator = restore(lambda: make_generator(params, audio.n_mels), own, folder)
            networks[label] = generator.to(device)
        generators = {direction: networks[direction[1]] for direction in directions}
        calibrations = {}
        wanted = (len(QUANTILES), audio.n_mels), torch.float32
        for index, (source, target) in enumerate(generators):
            names = [f"levels.{index}.{part}" for part in LEVELS]
            levels = [weights[name] for name in names if name in weights]
            if levels and [(of.shape, of.dtype) for of in levels] != 2 * [wanted]:
                raise UserError(
                    f"{folder}: the levels of {source} to {target} are not those of its "
                    "config.json: run `dvc repro -f cyclegan`"
                )
            if levels:
                calibrations[source, target] = BandHistograms(*(of.numpy() for of in levels))
        return cls(generators, params, audio, Scale(config.number("top")), calibrations)

    def save(self, folder: Path) -> None:
        """Write models/cyclegan."""
        networks = {target: network for (_, target), network in self.generators.items()}
        weights = {
            f"{index}.{name}": value
            for index, network in enumerate(networks.values())
            for name, value in network.state_dict().items()
        }
        for index, direction in enumerate(self.generators):
            if levels := self.calibrations.get(direction):
                for key, values in zip(LEVELS, (levels.found, levels.wanted), strict=True):
                    weights[f"levels.{index}.{key}"] = torch.from_numpy(values)
        config = {
            "params": asdict(self.params),
            "directions": [list(direction) for direction in self.generators],
            "top": self.scale.top,
        }
        save_model(folder, weights, config, self.audio)

    @property
    def directions(self) -> list[Direction]:
        """(source label, target label) of what it can convert."""
        return list(self.generators)

    def calibrate(self, sources: dict[str, Float], targets: dict[str, Float]) -> None:
        """Correct the levels of all that is converted from now on.

        In each band of a conversion, the distribution of level that the generator gives to real
        sound of the source label becomes that of real sound of the target label.
        sources: training clips by label, (clips, frames, n_mels), each converted by itself;
        targets: frames by label, (frames, n_mels).
        """
        self.calibrations = {}
        for direction in self.directions:
            source, target = direction
            made = np.concatenate([self.convert(clip, *direction) for clip in sources[source]])
            self.calibrations[direction] = BandHistograms.between(made, targets[target])

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
        correct = self.calibrations.get((source, target), lambda log_mel: log_mel)
        patch = self.params.frames
        margins = patch // 2, patch // 2
        return in_pieces(
            read,
            frames,
            lambda mel: correct(self._pass(generator, mel)),
            patch,
            margins,
            patch // 2,
        )

    @torch.no_grad()
    def _pass(self, generator: Converter, log_mel: Float) -> Float:
        """One pass of a generator, (frames, n_mels) -> the same shape."""
        mel = to_network(log_mel)[:, None].to(next(generator.parameters()).device)
        frames = mel.shape[3]
        # too short a track must survive reflection padding and instance normalisation
        missing = max(0, 2 * generator.multiple - frames, 32 - frames)
        wider = functional.pad(self.scale.to_unit(mel), (0, missing, 0, 0), "replicate")
        unit = generator(wider)[:, 0, :, :frames].clamp(-1, 1)
        return from_network(self.scale.to_log(unit))[0]


load = TrainedCycleGAN.load
