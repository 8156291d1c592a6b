"""The trained CycleGAN as other stages use it: whole songs in either direction."""

from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.network import Generator
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import parse
from melodygan.training.weights import load_model, restore, save_model

Float = NDArray[np.float32]


class Scale:
    """Log-mel in ln units <-> the generator's [-1, 1]: silence is -1, `top` is 1."""

    def __init__(self, top: float) -> None:
        self.top = top

    @staticmethod
    def of(mean: float, std: float) -> "Scale":
        """From training statistics: four standard deviations above the mean are full scale."""
        return Scale(mean + 4 * std)

    def to_unit(self, log_mel: Tensor) -> Tensor:
        """Ln units to [-1, 1]."""
        return ((log_mel - LOG_SILENCE) / (self.top - LOG_SILENCE) * 2 - 1).clamp(-1, 1)

    def to_log(self, unit: Tensor) -> Tensor:
        """[-1, 1] to ln units."""
        return (unit + 1) / 2 * (self.top - LOG_SILENCE) + LOG_SILENCE


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
    def load(cls, folder: Path, audio: MelConfig) -> Self:
        """Read models/cyclegan. It has no directions when there was only one label to learn.

        Raises UserError on a mel mismatch or broken files.
        """
        weights, config = load_model(folder, audio)
        params = parse(CycleGANParams, config["params"], "params", str(folder / "config.json"))
        generators = {}
        for index, (source, target) in enumerate(config.pairs("directions")):
            prefix = f"{index}."
            own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            generators[source, target] = restore(
                lambda: Generator(params.width, params.blocks), own, folder
            )
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

    @torch.no_grad()
    def convert(self, log_mel: Float, source: str, target: str) -> Float:
        """A whole track in one pass: log-mel (frames, n_mels) in ln units -> the same shape.

        Raises UserError for a direction that was not trained.
        """
        if (source, target) not in self.generators:
            known = ", ".join(f"{a} to {b}" for a, b in self.generators) or "none"
            raise UserError(
                f"models/cyclegan cannot convert {source} to {target} (trained: {known}): "
                "set cyclegan.labels in params.yaml and run `dvc repro cyclegan`"
            )
        generator = self.generators[source, target]
        device = next(generator.parameters()).device
        mel = torch.from_numpy(np.ascontiguousarray(log_mel.T))[None, None].to(device)
        height, frames = mel.shape[2:]
        # both sizes must be multiples of 4; too short a track must survive reflection padding
        wider = functional.pad(
            self.scale.to_unit(mel), (0, max(-frames % 4, 32 - frames), 0, -height % 4), "replicate"
        )
        converted = self.scale.to_log(generator(wider))[0, 0, :height, :frames]
        return np.ascontiguousarray(converted.cpu().numpy().T)


def without_directions(params: CycleGANParams, audio: MelConfig) -> TrainedCycleGAN:
    """What the stage writes when the data has a single label."""
    return TrainedCycleGAN({}, params, audio, Scale(0.0))
