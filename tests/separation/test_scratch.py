from pathlib import Path

import numpy as np
import pytest

from melodygan.separation import scratch
from melodygan.separation.scratch import StereoScratch


@pytest.mark.parametrize("in_memory", [1, 1 << 20])
def test_samples_come_back_from_memory_and_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(scratch, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(scratch, "_BLOCK", 300)
    signal = np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32)
    with StereoScratch(tmp_path) as store:
        for start in range(0, 1000, 170):
            store.append(signal[start : start + 170])
            store.read(0, 10)  # reading in between does not move the end
        assert store.samples == 1000
        np.testing.assert_array_equal(store.read(900, 2000), signal[900:])
        blocks = list(store.blocks())
    assert [len(block) for block in blocks] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate(blocks), signal)
    assert not list(tmp_path.iterdir())
