"""Crops of clean audio: from one track each, from all of them, and a clear word where none fits."""

from pathlib import Path

import fake
import numpy as np
import pytest

from melodygan.audio.pcm import from_int16, to_int16
from melodygan.dataset.clean_audio import CleanAudio
from melodygan.pipeline import UserError


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """Three training tracks of noise, and a rejected one."""
    rng = np.random.default_rng(0)
    tracks = [
        fake.of_sound(f"t{i}", "pop", "train", to_int16(rng.normal(0, 0.1, size)))
        for i, size in enumerate((3000, 3010, 3020))
    ]
    fake.write_clean(tmp_path / "clean", tracks)
    return tmp_path / "clean"


def test_crops_lie_within_one_track_and_reach_all_of_them(clean: Path) -> None:
    audio = CleanAudio(clean, "train", "mix")
    tracks = [from_int16(track) for track in audio.tracks]
    size = min(map(len, tracks)) - 5
    owners = []
    for crop in audio.random(40, size, np.random.default_rng(0)):
        windows = [np.lib.stride_tricks.sliding_window_view(track, size) for track in tracks]
        places = [int((window == crop).all(1).sum()) for window in windows]
        assert sum(places) == 1
        owners.append(int(np.argmax(places)))
    assert set(owners) == {0, 1, 2}
    for crop in audio.random(5, len(tracks[2]), np.random.default_rng(0)):
        assert np.array_equal(crop, tracks[2])


def test_missing_or_too_short_tracks_are_explained(clean: Path) -> None:
    with pytest.raises(UserError, match="no train track of stem vocals"):
        CleanAudio(clean, "train", "vocals")
    with pytest.raises(UserError, match="lower `frames`"):
        CleanAudio(clean, "train", "mix").random(1, 10**6, np.random.default_rng(0))
