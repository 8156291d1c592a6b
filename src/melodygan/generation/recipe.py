"""What a made sound was made with, inside its WAV file, so that it can be made again.

A recipe is JSON in the file's comment (RIFF chunk LIST, INFO, ICMT): the one place that ffmpeg
keeps when it copies a file, and that players and libsndfile show; `bext` and `iXML` it drops. Read
from a file it is untrusted: of bounded size, each value typed and in its range, and never a path.
"""

import json
import re
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from melodygan.generation.makers import Makers
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest, sha256_file
from melodygan.pipeline.params import Range, brief, parse

MOST = 1 << 14  # bytes of a recipe
_CHUNKS = 64  # of a file that are looked at
_TEXT = 200  # characters of a label
_FILES = ("config.json", "weights.safetensors")

# beside `model` and `label`: what each kind has, and the others have not
_HAS = {
    "sample": {"seed", "seconds"},
    "continuation": {"seed", "seconds", "song", "hearing"},
    "variation": {"seed", "strength", "song", "hearing"},
    "conversion": {"source", "strength", "song", "hearing"},
}


@dataclass(frozen=True)
class Weights:
    """A model that took part. name: of its folder in models/; sha256: see `weights_sha256`."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]{1,40}", self.name):
            raise ValueError(f"name {brief(self.name)} is not the name of a model")
        _require_sha256("sha256", self.sha256)


@dataclass(frozen=True)
class Recipe:
    """All that decides the bytes of a made file, on one machine.

    kind: of what was made. model: that made it; models: all that took part. label: that it was
    asked for, or the target of a conversion from `source`. seconds: of new music. strength: from 0
    to 1. temperature: None stands for the model's own. song: SHA-256 of the file that it was made
    from; hearing: digest of how that was heard.
    """

    kind: Literal["sample", "continuation", "variation", "conversion"]
    model: str
    models: list[Weights]
    label: str | None = None
    source: str | None = None
    seed: Annotated[int, Range(ge=0, lt=2**40)] | None = None
    seconds: Annotated[float, Range(gt=0, lt=1e6)] | None = None
    strength: Annotated[float, Range(ge=0, le=1)] | None = None
    temperature: Annotated[float, Range(gt=0, le=10)] | None = None
    keep_vocals: bool = False
    song: str | None = None
    hearing: str | None = None
    made_by: str = field(default_factory=lambda: made_by())

    def __post_init__(self) -> None:
        if self.model not in [one.name for one in self.models]:
            raise ValueError(f"model {brief(self.model)} is not among its models")
        for key in ("label", "source", "made_by"):
            _require_line(key, getattr(self, key))
        for key in sorted(set().union(*_HAS.values())):
            if (getattr(self, key) is not None) != (key in _HAS[self.kind]):
                has = "must have" if key in _HAS[self.kind] else "cannot have"
                raise ValueError(f"a {self.kind} {has} `{key}`")
        for key in ("song", "hearing"):
            if getattr(self, key) is not None:
                _require_sha256(key, getattr(self, key))
        if self.temperature is not None and self.kind == "conversion":
            raise ValueError("a conversion cannot have `temperature`")
        if self.keep_vocals and self.song is None:
            raise ValueError("`keep_vocals` needs a song")


def models_of(makers: Makers, name: str) -> list[Weights]:
    """The models that a sound by model `name` comes from, with what their folders hold."""
    return [Weights(folder.name, weights_sha256(folder)) for folder in makers.behind(name)]


def weights_sha256(folder: Path) -> str:
    """Of a model folder's weights and configuration together. Raises UserError if one is missing.

    This is what a recipe knows a model by.
    """
    try:
        return digest({name: sha256_file(folder / name) for name in _FILES})
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder} is missing: run `dvc repro {folder.name}`") from None


def made_by() -> str:
    """The versions that bytes may depend on."""
    return f"melodygan {version('melodygan')}, torch {version('torch')}"


@contextmanager
def with_recipe(path: Path, recipe: Recipe) -> Iterator[Path]:
    """Yield where to write a WAV file, which then becomes `path`, with the recipe inside.

    The file appears under its name when it is complete; nothing is left of one that failed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as folder:
        made = Path(folder) / "sound.wav"
        yield made
        with made.open("r+b") as file:
            _append_comment(file, json.dumps(asdict(recipe), sort_keys=True, allow_nan=False))
        made.replace(path)


def _append_comment(file: BinaryIO, text: str) -> None:
    """Add an INFO chunk to a RIFF file, behind the sound: its header stays that of a plain WAV."""
    comment = text.encode("ascii") + b"\0"
    comment += b"\0" * (len(comment) % 2)
    chunk = b"LIST" + struct.pack("<I4s4sI", len(comment) + 12, b"INFO", b"ICMT", len(comment))
    size = file.seek(0, 2) + len(chunk) + len(comment)
    file.write(chunk + comment)
    file.seek(4)
    file.write(struct.pack("<I", size - 8))


def read_recipe(path: Path) -> Recipe:
    """The recipe inside the WAV file `path`.

    Raises UserError for a file that is missing, is no WAV, or has no recipe, or one with a value
    that no command of this project could have written.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file: choose one that melodygan has made")
    with path.open("rb") as file:
        comments = list(_comments(file))
    for comment in comments:
        try:
            value = json.loads(comment)
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, dict):  # somebody else's comment, such as a year
            continue
        return parse(Recipe, value, "recipe", str(path))
    raise UserError(f"{path} has no recipe inside: choose a WAV file that melodygan has made")


def _comments(file: BinaryIO) -> Iterator[bytes]:
    """The comments of a RIFF WAVE file, each of at most MOST bytes; none of any other file."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return
    for _ in range(_CHUNKS):
        kind, size = _chunk(file.read(8))
        if kind == b"LIST" and size <= 2 * MOST:
            yield from _of_list(file.read(size + size % 2))
        else:
            file.seek(size + size % 2, 1)


def _of_list(body: bytes) -> Iterator[bytes]:
    if body[:4] != b"INFO":
        return
    at = 4
    while at + 8 <= len(body):
        kind, size = _chunk(body[at : at + 8])
        if kind == b"ICMT" and size <= MOST:
            yield body[at + 8 : at + 8 + size].rstrip(b"\0")
        at += 8 + size + size % 2


def _chunk(head: bytes) -> tuple[bytes, int]:
    """Name and size of the chunk that begins with these 8 bytes; nothing at a file's end."""
    return struct.unpack("<4sI", head) if len(head) == 8 else (b"", 0)


def _require_sha256(key: str, text: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError(f"{key} {brief(text)} is not a SHA-256")


def _require_line(key: str, text: str | None) -> None:
    if text is not None and not (text.isprintable() and 0 < len(text) <= _TEXT):
        raise ValueError(f"{key} {brief(text)} is not a line of at most {_TEXT} characters")
