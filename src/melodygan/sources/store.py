"""Downloaded bytes by their SHA-256, so that nothing is fetched twice and nothing is half there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from melodygan.pipeline.files import sha256_file
from melodygan.pipeline.runtime import cache_root


def store_root() -> Path:
    """The store's folder, made if need be; it outlives `dvc repro` and experiments."""
    root = cache_root() / "downloads"
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder on the store's file system, gone when the block ends."""
    with tempfile.TemporaryDirectory(suffix=".tmp", dir=store_root()) as folder:
        yield Path(folder)


def put(file: Path) -> tuple[Path, str]:
    """Move `file`, from a `scratch` folder, into the store; return its new path and SHA-256."""
    sha256 = sha256_file(file)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())  # a file under its hash must be whole even after a power cut
    target = store_root() / sha256
    file.replace(target)
    return target, sha256


def get(sha256: str) -> Path | None:
    """The stored file with that hash; None where there is none or its bytes have been damaged."""
    path = store_root() / sha256
    if not path.is_file():
        return None
    if sha256_file(path) != sha256:
        path.unlink()
        return None
    return path
