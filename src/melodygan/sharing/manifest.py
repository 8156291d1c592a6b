"""What is in a pack, and reading one that may come from anywhere.

A pack is a folder, or the same as a ZIP file: `<model>/config.json` and `<model>/model.safetensors`
of each model that it takes to make sound (the names of the Hugging Face Hub), ONNX where the
vocoder can be exported, and manifest.json, which names them all with size and SHA-256. Only what
it names is ever read, up to the size that it says, and nothing is unpickled. README.md and
.gitattributes are not named: people edit the one, the Hub writes the other.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import Range, brief, parse

MANIFEST = "manifest.json"
MOST = 1 << 20  # bytes of a manifest, and of a model's configuration
# what a model folder's files are called in a pack
NAMES = {"config.json": "config.json", "weights.safetensors": "model.safetensors"}
_BLOCK = 1 << 20
_UNREADABLE = (
    OSError, EOFError, KeyError, ValueError, RuntimeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip

Opener = Callable[[str], IO[bytes]]


@dataclass(frozen=True)
class PackedFile:
    """path: below the pack, of two names at most."""

    path: str
    bytes: Annotated[int, Range(ge=0, le=1 << 36)]
    sha256: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([a-z0-9_]{1,40}/)?[A-Za-z0-9_-]{1,40}\.[a-z]{1,20}", self.path):
            raise ValueError(f"path {brief(self.path)} is not that of a packed file")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 {brief(self.sha256)} is not a SHA-256")
        if self.path.endswith(".json") and self.bytes > MOST:
            raise ValueError(f"{self.path} is larger than any configuration")


@dataclass(frozen=True)
class Manifest:
    """model: the one that was packed; models: it and all that it needs. melodygan: version.

    stem, loudness_lufs: what of songs they were trained on, and how loud, in LUFS.
    """

    format: Literal[1]
    model: str
    models: list[str]
    melodygan: str
    audio: MelConfig
    stem: Literal["vocals", "instrumental", "mix"]
    loudness_lufs: Annotated[float, Range(ge=-60, le=0)]
    files: list[PackedFile]

    def __post_init__(self) -> None:
        paths = [file.path for file in self.files]
        if len(set(paths)) < len(paths):
            raise ValueError("it names a file twice")
        if len(set(self.models)) < len(self.models):
            raise ValueError("it names a model twice")
        wanted = {f"{model}/{name}" for model in self.models for name in NAMES.values()}
        if self.model not in self.models or not wanted <= set(paths):
            raise ValueError("it does not name all files of its models")
        if not re.fullmatch(r"[A-Za-z0-9.+-]{1,40}", self.melodygan):
            raise ValueError("melodygan is not a version")


@contextmanager
def opened(path: Path) -> Iterator[Opener]:
    """Within the block, what opens a file of the pack `path` by its name, for reading."""
    if path.is_dir():
        yield lambda name: _regular(path / name).open("rb")
    elif path.is_file():
        with as_pack(path), zipfile.ZipFile(path) as archive:
            yield lambda name: archive.open(name)
    else:
        raise UserError(f"{path}: there is no such pack: give a folder or a ZIP file")


@contextmanager
def as_pack(path: Path) -> Iterator[None]:
    """Within the block, what cannot be read is a UserError of one line."""
    try:
        yield
    except _UNREADABLE as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise UserError(
            f"{path} is not a whole pack of `melodygan pack` ({reason}): get it again"
        ) from None


def read_manifest(path: Path, pack: Opener) -> Manifest:
    """The manifest of the pack `path`. Raises UserError for one that `pack` has not written."""
    with as_pack(path):
        with pack(MANIFEST) as file:
            text = file.read(MOST + 1)
        if len(text) > MOST:
            raise ValueError(f"{MANIFEST} is larger than any")
        try:
            value = json.loads(text)
        except RecursionError:
            raise ValueError(f"{MANIFEST} is nested too deeply") from None
    return parse(Manifest, value, "manifest", str(path))


def take(path: Path, pack: Opener, file: PackedFile, target: Path | None) -> None:
    """Check one file of the pack against the manifest, and copy it to `target` if one is given.

    Raises UserError if it has another size or other bytes.
    """
    left, sha256 = file.bytes, hashlib.sha256()
    with ExitStack() as stack:
        copy = stack.enter_context(target.open("wb")) if target else None
        stack.enter_context(as_pack(path))
        source = stack.enter_context(pack(file.path))
        while left >= 0 and (block := source.read(min(_BLOCK, left + 1))):
            left -= len(block)
            sha256.update(block)
            if copy:
                copy.write(block)
    if left or sha256.hexdigest() != file.sha256:
        raise UserError(f"{path}: {file.path} is not what the manifest says: get the pack again")


def _regular(path: Path) -> Path:
    if not path.is_file():  # a folder, a pipe, a device
        raise FileNotFoundError(f"no file {path.name}")
    return path
