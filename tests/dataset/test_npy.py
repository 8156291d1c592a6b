"""Writing .npy files block by block."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.dataset.npy import NpyWriter


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 5), max_size=5),
    st.sampled_from([(), (1,), (3,), (2, 4)]),
    st.sampled_from([np.float32, np.int16]),
)
def test_the_file_is_the_one_of_numpy(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], tail: tuple[int, ...], dtype: type
) -> None:
    folder = tmp_path_factory.mktemp("npy")
    rng = np.random.default_rng(0)
    whole: NDArray[Any] = rng.integers(-9, 9, (sum(sizes), *tail)).astype(dtype)
    np.save(folder / "numpy.npy", whole)
    with NpyWriter(folder / "ours.npy", whole.shape, dtype) as file:
        for block in np.split(whole, np.cumsum(sizes, dtype=int)):
            file.append(block)
    assert (folder / "ours.npy").read_bytes() == (folder / "numpy.npy").read_bytes()


def test_rows_of_another_shape_or_type_are_refused(tmp_path: Path) -> None:
    writer = NpyWriter(tmp_path / "a.npy", (2, 3))
    with pytest.raises(ValueError, match=r"rows of float32 \(3,\), not of float32 \(4,\)"):
        writer.append(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=r"not of float64 \(3,\)"):
        writer.append(np.zeros((2, 3)))


def test_a_file_with_too_few_rows_is_no_result(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="1 rows written, not 2"),
        NpyWriter(tmp_path / "a.npy", (2, 3)) as file,
    ):
        file.append(np.zeros((1, 3), np.float32))


def test_an_exception_is_not_hidden_by_the_missing_rows(tmp_path: Path) -> None:
    with pytest.raises(KeyError), NpyWriter(tmp_path / "a.npy", (2, 3)):
        raise KeyError("the cause")
