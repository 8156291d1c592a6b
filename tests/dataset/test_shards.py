"""Shards: joined files, spread by the hash of the track's id."""

import tracemalloc
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.dataset.npy import write_header
from melodygan.dataset.shards import shard_of, shard_path, write_shard


@pytest.mark.parametrize("tail", [(), (3,)])
def test_a_shard_is_its_parts_one_after_another(tmp_path: Path, tail: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, *tail)).astype(np.float32) for n in (5, 0, 1, 8)]
    parts = [tmp_path / f"{i}.npy" for i in range(4)]
    for part, array in zip(parts, arrays, strict=True):
        np.save(part, array)
    path = shard_path(tmp_path, "mel", 7)
    assert path.name == "mel-07.npy"
    assert write_shard(path, parts) == [(0, 5), (5, 0), (5, 1), (6, 8)]
    np.testing.assert_array_equal(np.load(path, mmap_mode="r"), np.concatenate(arrays))
    np.save(tmp_path / "joined.npy", np.concatenate(arrays))
    assert path.read_bytes() == (tmp_path / "joined.npy").read_bytes()


def test_a_long_part_is_copied_without_being_loaded(tmp_path: Path) -> None:
    part = tmp_path / "part.npy"
    np.save(part, np.arange(10_000_000, dtype=np.int16))  # 20 MB
    tracemalloc.start()
    write_shard(tmp_path / "shard.npy", [part, part])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e6
    joined = np.load(tmp_path / "shard.npy", mmap_mode="r")
    np.testing.assert_array_equal(joined[10_000_000:], np.load(part))


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_the_header_is_as_long_for_any_number_of_rows(rows: int, others: int) -> None:
    sizes = set()
    for shape in ((rows, 128), (others, 128)):
        file = BytesIO()
        write_header(file, shape, np.dtype(np.float32))
        sizes.add(len(file.getvalue()))
    assert len(sizes) == 1


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80), st.integers(1, 64))
def test_the_shard_follows_from_the_id_alone(track: str, shards: int) -> None:
    assert shard_of(track, shards) == shard_of(track, shards) < shards


def test_tracks_spread_evenly() -> None:
    counts = Counter(shard_of(f"track-{i}", 4) for i in range(4000))
    assert all(abs(count - 1000) < 150 for count in counts.values())
