"""What the page can ask for. Whatever comes from a browser is parsed into these, or refused."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar

from melodygan.pipeline.params import Range, parse

T = TypeVar("T")

Share = Annotated[float, Range(ge=0, le=1)]
Heat = Annotated[float, Range(gt=0, le=10)] | None
Seed = Annotated[int, Range(ge=0, lt=2**31)]


@dataclass(frozen=True)
class Generate:
    """`melodygan generate`. song: id of an upload to continue or vary, as `how` says."""

    model: str | None
    label: str | None
    seconds: Annotated[float, Range(gt=0, le=600)] | None
    seed: Seed
    temperature: Heat
    count: Annotated[int, Range(ge=1, le=8)]
    song: str | None
    how: str | None
    strength: Share | None
    keep_vocals: bool | None

    def __post_init__(self) -> None:
        if (self.song is None) != (self.how is None):
            raise ValueError("song and how go together: give both or none")
        if self.how not in (None, "continue", "vary"):
            raise ValueError("how must be continue or vary")


@dataclass(frozen=True)
class Convert:
    """`melodygan convert`. song: id of an upload."""

    song: str
    source: str | None
    target: str
    strength: Share
    keep_vocals: bool


@dataclass(frozen=True)
class Explore:
    """`melodygan explore`. moves: of each direction, in standard deviations."""

    label: str
    clip: Annotated[int, Range(ge=0)]
    other: Annotated[int, Range(ge=0)] | None
    blend: Share
    moves: list[Annotated[float, Range(ge=-5, le=5)]]


@dataclass(frozen=True)
class Check:
    """`melodygan check`. songs: ids of uploads; or the path of a folder on this machine."""

    songs: list[str]
    folder: str | None

    def __post_init__(self) -> None:
        if bool(self.songs) == bool(self.folder):
            raise ValueError("give files, or a folder")


@dataclass(frozen=True)
class Live:
    """`melodygan play --steer`."""

    model: str | None
    label: str | None
    temperature: Heat
    seed: Seed


@dataclass(frozen=True)
class Start:
    """`dvc repro STAGE`; without a stage, all of them."""

    stage: str | None


DEEDS: dict[str, type[Any]] = {
    "generate": Generate, "convert": Convert, "explore": Explore, "check": Check,
}  # fmt: skip


def read(cls: type[T], value: Any, key: str) -> T:
    """A wish out of JSON; keys that are left out are null. Raises UserError in one line."""
    optional = dict.fromkeys(field.name for field in fields(cls))  # type: ignore[arg-type]
    given = optional | value if isinstance(value, dict) else value
    return parse(cls, given, key, "page")
