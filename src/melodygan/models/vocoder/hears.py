"""What a vocoder learns to hear: true log-mels, or what another model makes of them.

Log-mels that a model made are smoother than true ones, and a vocoder that has only heard true ones
makes dull or metallic sound of them. So it can be trained on a training track's log-mel as the
model gives it back, which lies in time where the true sound lies, with that sound as the target.
"""

import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.layout import to_network
from melodygan.audio.pcm import from_int16
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.guard import stage_table
from melodygan.training.data import Data
from melodygan.training.task import Batch

Float = NDArray[np.float32]
Hearing = Callable[[Float, str], Float | None]

# what dvc.yaml must name for the vocoder to hear a model's log-mels; by default it waits for none
NEEDS = {
    "vqvae": ("models/vqvae", "src/melodygan/models/vqvae"),
    "cyclegan": (
        "models/cyclegan",
        "src/melodygan/blocks/patchgan.py",
        "src/melodygan/blocks/scale.py",
        "src/melodygan/blocks/unet.py",
        "src/melodygan/models/cyclegan",
    ),
}


def hearing(hears: str, data: Data) -> Hearing | None:
    """What makes of a log-mel (frames, n_mels) and its label the one that is heard; None: itself.

    vqvae: through encoder, codebook and decoder. cyclegan: to another label and back; the answer
    is None for a label that it does not convert. Raises UserError where dvc.yaml lets the stage
    not read the model.
    """
    if hears == "truth":
        return None
    declared = stage_table(data.stage).get("deps", [])
    if missing := [dep for dep in NEEDS[hears] if dep not in declared]:
        raise UserError(
            f"vocoder.hears is {hears}, but stage {data.stage} may not read it: add "
            f"{', '.join(missing)} to stages.{data.stage}.deps in dvc.yaml"
        )
    # by name: the deps of the stage, which hold for every setting, do not have its code
    load: Callable[..., Any] = import_module(f"melodygan.models.{hears}.model").load
    model = load(data.model(hears), data.audio)
    return _there_and_back(model) if hears == "cyclegan" else lambda mel, _: model.rebuild(mel)


def _there_and_back(model: Any) -> Hearing:
    ways = {a: b for a, b in model.directions if (b, a) in model.directions}

    def heard(log_mel: Float, label: str) -> Float | None:
        if label not in ways:
            return None
        there = model.convert(log_mel, label, ways[label])
        return cast(Float, model.convert(there, ways[label], label))

    return heard


class Crops:
    """Random crops of training tracks, with the log-mel that is heard of them.

    heard: see `hearing`. All tracks are passed through it once; what comes out lies in a temporary
    file, so that memory does not grow with the data. Raises UserError if no track is heard.
    """

    def __init__(self, data: Data, heard: Hearing | None) -> None:
        self.clean, self.hop = data.clean("train"), data.audio.hop_length
        self.tracks: list[tuple[NDArray[np.int16], Float]] | None = None  # None: nothing but truth
        if heard is None:
            return
        self.tracks = []
        known = {track.track: track for track in data.features.tracks("train")}
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its maps
        for name, sound in zip(self.clean.names, self.clean.tracks, strict=True):
            made = heard(np.array(known[name].mel), known[name].label)
            if made is not None:
                start = file.tell()
                file.write(made.astype(np.float32).tobytes())
                file.flush()
                mel = np.memmap(file, np.float32, "r", start, made.shape)
                file.seek(0, 2)
                self.tracks.append((sound, mel))
        require_heard(self.tracks, "train")

    def batch(self, count: int, frames: int, rng: np.random.Generator) -> Batch:
        """`count` crops, every position of every track equally likely.

        `audio` (count, frames * hop_length), in [-1, 1]; and, unless the truth is heard, `mel`
        (count, n_mels, frames), in ln units. Raises UserError when no track is long enough.
        """
        if self.tracks is None:
            audio = self.clean.random(count, frames * self.hop, rng)
            return {"audio": torch.from_numpy(audio)}
        ends = np.cumsum([max(0, len(mel) - frames + 1) for _, mel in self.tracks])
        if not ends[-1]:
            raise UserError(
                f"no track has {frames} frames, the length of a training crop: lower `frames` "
                "of the model in params.yaml"
            )
        sounds, mels = [], []
        for place in rng.integers(0, ends[-1], count):
            index = int(np.searchsorted(ends, place, side="right"))
            sound, mel = self.tracks[index]
            stop = len(mel) - int(ends[index] - place - 1)
            sounds.append(from_int16(sound[(stop - frames) * self.hop : stop * self.hop]))
            mels.append(mel[stop - frames : stop])
        return {"audio": torch.from_numpy(np.stack(sounds)), "mel": to_network(np.stack(mels))}


def require_heard(tracks: Sequence[Any], split: str) -> None:
    """Raise UserError if no track of the split is heard."""
    if not tracks:
        raise UserError(
            f"vocoder.hears is cyclegan, which converts the label of no {split} track: set "
            "cyclegan.labels in params.yaml and run `dvc repro cyclegan`"
        )
