"""A full disk is one line, also where a library keeps the system's own words from us."""

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import soundfile
import torch

from melodygan.pipeline.errors import UserError, mendable

NOISE = np.random.default_rng(0).uniform(-1, 1, 200_000).astype(np.float32)


def torch_save(path: Path) -> None:
    with path.open("wb") as file:
        torch.save({"a": torch.from_numpy(NOISE)}, file)


WRITERS: dict[str, Callable[[Path], object]] = {
    "bytes": lambda path: path.write_bytes(NOISE.tobytes()),
    "numpy": lambda path: np.save(path, NOISE),
    "libsndfile": lambda path: soundfile.write(path, NOISE, 44100, "PCM_16", format="FLAC"),
    "torch": torch_save,
    "safetensors": lambda path: safetensors.numpy.save_file({"a": NOISE}, path),
}


@pytest.mark.parametrize("library", WRITERS)
def test_a_full_disk_is_told_in_one_line(library: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # no file may be larger
    try:
        with pytest.raises(Exception) as caught:
            WRITERS[library](tmp_path / "x.npy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    line = str(mendable(caught.value))
    assert "make room" in line and "\n" not in line


def test_other_errors_are_bugs_or_what_they_say() -> None:
    told = UserError("do this")
    assert mendable(told) is told
    for error in (IndexError("a bug"), RuntimeError("shapes differ"), OSError("cannot read")):
        assert mendable(error) is None
    with pytest.raises(soundfile.LibsndfileError) as caught:
        soundfile.read("no such file")
    assert mendable(caught.value) is None
