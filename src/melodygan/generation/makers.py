"""What a trained model can do, and where the trained models are found.

A model folder's package `melodygan.models.NAME` has `load(folder, audio, device)`, in `model.py` or
in the package itself. What the loaded object can do shows in its methods; the protocols here are
the whole contract. Log-mel is (frames, n_mels) in ln units, sounds are (samples,) in [-1, 1].
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.guard import stage_table
from melodygan.pipeline.params import load
from melodygan.pipeline.runtime import Runtime
from melodygan.training.weights import folders_read

Float = NDArray[np.float32]
T = TypeVar("T")
Labelled = TypeVar("Labelled", "Sampler", "Player", "Varier")


@runtime_checkable
class Sampler(Protocol):
    """Invents clips. labels: those that it can be asked for; none where it knows no classes."""

    labels: Sequence[str]

    def sample(
        self, count: int, seed: int, label: str | None = None, frames: int | None = None
    ) -> Float:
        """`count` clips, (count, frames, n_mels); frames: None stands for its usual length."""


@runtime_checkable
class Player(Sampler, Protocol):
    """A sampler whose music has no end."""

    def play(
        self, seed: int, label: str | None = None, after: Float | None = None
    ) -> Iterator[Float]:
        """Log-mel, a few frames (frames, n_mels) at a time, for ever and in bounded memory.

        after: log-mel of any length, whose end the music goes on from.
        """


@runtime_checkable
class Tempered(Protocol):
    """Draws what it writes from probabilities, which can be sharpened or levelled."""

    def tempered(self, temperature: float) -> Self:
        """The same model at another temperature: below 1 more usual music, above it bolder."""


@runtime_checkable
class Varier(Protocol):
    """Plays a given track otherwise. labels: those that it can be asked for."""

    labels: Sequence[str]

    def vary(
        self,
        read: Callable[[int, int], Float],
        frames: int,
        seed: int,
        strength: float,
        label: str | None = None,
    ) -> Iterator[Float]:
        """A track of `frames` frames, of which `read` gives any, piece after piece; strength from
        0, the same, to 1, music of its own.
        """


@runtime_checkable
class Decoded(Protocol):
    """Invents clips by way of a decoder that it has not learnt itself."""

    def decoded(self, log_mel: Float) -> Float:
        """What the decoder leaves of real clips, (clips, frames, n_mels) of any length: the best
        that the model can do, and what copies of its training data come out as.
        """


@runtime_checkable
class Converter(Protocol):
    """Carries a track from one label to another. directions: (source, target) of each."""

    @property
    def directions(self) -> Sequence[tuple[str, str]]:
        """What it was trained for."""

    def convert(self, log_mel: Float, source: str, target: str) -> Float:
        """A track of any length -> the same shape."""

    def convert_pieces(
        self, read: Callable[[int, int], Float], frames: int, source: str, target: str
    ) -> Iterator[Float]:
        """The same piece after piece, in bounded memory."""


@runtime_checkable
class Extractor(Converter, Protocol):
    """A converter from one stem of a track to another: its directions are stems and no labels.

    loudness: LUFS, of what it converts.
    """

    loudness: float

    @property
    def stems(self) -> Sequence[str]:
        """Those that it makes."""


@runtime_checkable
class Rebuilder(Protocol):
    """Gives back what it gets, as well as it can."""

    def rebuild(self, log_mel: Float) -> Float:
        """A track of any length -> the same shape."""


@runtime_checkable
class Synthesiser(Protocol):
    """Makes sound of log-mel."""

    def synthesise(self, log_mel: Float) -> Float:
        """(frames, n_mels) -> (frames * hop_length,)."""

    def synthesise_pieces(
        self, read: Callable[[int, int], Float], frames: int, piece: int | None = None
    ) -> Iterator[Float]:
        """The same in pieces of `piece` frames, in bounded memory."""


class Makers:
    """The trained models that dvc.yaml declares as dependencies of a stage, loaded.

    partial: those that are there; it is an error only if one that is asked for is not. Raises
    UserError for a model that is missing, broken, or of another mel convention.
    """

    def __init__(
        self,
        audio: MelConfig,
        device: torch.device,
        stage: str = "generate",
        root: Path = Path(),
        partial: bool = False,
    ) -> None:
        deps = [Path(dep) for dep in stage_table(stage, root / "dvc.yaml")["deps"]]
        names = [dep.name for dep in deps if dep.parent == Path("models")]
        self.absent = [name for name in names if partial and not (root / "models" / name).exists()]
        names = [name for name in names if name not in self.absent]
        self.root = root
        self.models: dict[str, Any] = {}
        self._read: dict[str, set[str]] = {}
        for name in names:
            with folders_read() as folders:
                self.models[name] = load_maker(root / "models" / name, audio, device)
            self._read[name] = {folder.name for folder in folders}

    @classmethod
    def here(cls) -> Self:
        """The trained models that are here, on the device that params.yaml names."""
        from melodygan.training.device import start_device

        return cls(load(MelConfig, "audio"), start_device(Runtime.read()), partial=True)

    def able(self, what: type[T]) -> dict[str, T]:
        """The models that can do `what`, one of the protocols, by name."""
        return {name: model for name, model in self.models.items() if isinstance(model, what)}

    def synthesiser(self) -> Synthesiser:
        """The vocoder. Raises UserError where none is declared."""
        for model in self.able(Synthesiser).values():
            return model
        if self.absent:
            raise UserError(f"there is no vocoder{self._how()}")
        raise UserError("no vocoder among the deps of stage generate: add models/vocoder there")

    def behind(self, name: str) -> list[Path]:
        """Folders of all models that a sound by model `name` comes from, itself among them.

        Those that it loads beside itself, such as a prior's VQ-VAE, and the vocoder. Sorted.
        """
        vocoder = next(iter(self.able(Synthesiser)), name)
        names = sorted(self._read[name] | self._read[vocoder])
        return [self.root / "models" / one for one in names]

    def sampler(self, name: str | None, label: str | None) -> tuple[str, Sampler]:
        """Name and model of one that invents clips, of a label if one is given.

        name: None stands for the first that can do it, those that play without end before others.
        Raises UserError, with what there is, if there is none.
        """
        able = self.able(Player) | self.able(Sampler)
        return self._choose(able, name, label, "invent clips")

    def player(self, name: str | None, label: str | None) -> tuple[str, Player]:
        """The same of one that goes on from a song."""
        return self._choose(self.able(Player), name, label, "go on from a song")

    def varier(self, name: str | None, label: str | None) -> tuple[str, Varier]:
        """The same of one that plays a song otherwise."""
        return self._choose(self.able(Varier), name, label, "play a song otherwise")

    def converter(self, source: str | None, target: str) -> tuple[str, Converter, str]:
        """Name and model of the first that converts to `target`, and from which label or stem.

        source: None stands for the only one that the model knows. Raises UserError, with what
        there is, if there is none, or if several labels can be meant.
        """
        known = [
            (name, model, direction)
            for name, model in self.able(Converter).items()
            for direction in model.directions
        ]
        for name, model in self.able(Converter).items():
            sources = [first for first, second in model.directions if second == target]
            if source in sources or (source is None and len(sources) == 1):
                return name, model, source or sources[0]
            if source is None and sources:
                raise UserError(
                    f"{name} converts to {target} from {', '.join(sources)}: say with --from "
                    "which of these the song is"
                )
        there = ", ".join(f"{a} to {b} ({name})" for name, _, (a, b) in known) or "none"
        wanted = f"{source} to {target}" if source else f"to {target}"
        remedy = ": set cyclegan.labels in params.yaml and run `dvc repro cyclegan`"
        raise UserError(
            f"no trained model converts {wanted} (trained: {there}){self._how() or remedy}"
        )

    def _choose(
        self, able: Mapping[str, Labelled], name: str | None, label: str | None, deed: str
    ) -> tuple[str, Labelled]:
        for known, model in able.items():
            if name in (None, known) and (label is None or label in model.labels):
                return known, model
        there = ", ".join(
            f"{known} ({', '.join(model.labels) or 'no labels'})" for known, model in able.items()
        )
        wanted = f" of label {label}" if label else ""
        raise UserError(
            f"{name or 'no trained model'} cannot {deed}{wanted}: there are {there or 'none'}"
            f"{self._how()}"
        )

    def _how(self) -> str:
        """The end of a message: which models are not here, and how they come."""
        missing = ", ".join(self.absent)
        remedy = "run `dvc repro`, or `melodygan use` with a pack that has them"
        return f" (not here: {missing}): {remedy}" if missing else ""


def at_temperature(name: str, model: T, temperature: float | None) -> T:
    """A model at a temperature; None stands for its own. Raises UserError where it has none."""
    if temperature is None:
        return model
    if not isinstance(model, Tempered):
        raise UserError(f"{name} has no temperature: leave --temperature out")
    return cast(T, model.tempered(temperature))


def load_maker(folder: Path, audio: MelConfig, device: torch.device) -> Any:
    """The trained model in models/NAME, by the `load` of its package."""
    package = f"melodygan.models.{folder.name}"
    module = f"{package}.model" if find_spec(f"{package}.model") else package
    load = cast(Callable[..., Any], import_module(module).load)
    return load(folder, audio, device)
