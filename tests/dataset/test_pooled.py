"""Pooled vectors as models read them."""

from pathlib import Path

import fake
import numpy as np
import pytest

from melodygan.audio.features import mfcc, pooled
from melodygan.dataset.feature_set import FeatureSet
from melodygan.dataset.pooled import PooledVectors, pooled_vectors
from melodygan.pipeline.errors import UserError


@pytest.fixture
def features(tmp_path: Path) -> FeatureSet:
    fake.write_features(tmp_path, fake.tunes(["beat", "drone"], frames=200))
    return FeatureSet(tmp_path, fake.AUDIO)


def test_rows_are_the_vectors_of_the_split_with_their_tracks_and_labels(features) -> None:
    vectors = pooled_vectors(features, "test")
    assert vectors.tracks == 4 and vectors.labels == ["beat", "drone"]
    for index, track in enumerate(features.tracks("test")):
        rows = vectors.track == index
        wanted = pooled(track.mel, mfcc(track.mel, 12), 64, 32)
        assert np.array_equal(vectors.values[rows], wanted)
        assert {vectors.labels[place] for place in vectors.label[rows]} == {track.label}
    with pytest.raises(UserError, match="no nothing track"):
        pooled_vectors(features, "nothing")


def test_a_smaller_hop_gives_more_windows_among_which_the_usual_ones_are(features) -> None:
    few, many = (pooled_vectors(features, "train", hop) for hop in (None, 8))
    assert len(few.values) == 8 * 5 and len(many.values) == 8 * 18
    one, other = few.values[few.track == 3], many.values[many.track == 3]
    assert np.allclose(one, other[::4][: len(one)], atol=1e-4)


def test_thinned_rows_are_spread_over_the_tracks_that_are_left() -> None:
    values = np.arange(12, dtype=np.float32)[:, None]
    vectors = PooledVectors(values, np.repeat([0, 1, 2, 3], 3), np.repeat([0, 1], 6), ["a", "b"])
    assert vectors.thinned(12) is vectors
    few = vectors.thinned(3)
    assert few.values[:, 0].tolist() == [0, 6, 11]
    assert few.track.tolist() == [0, 1, 2] and few.label.tolist() == [0, 1, 1]


def test_means_are_of_each_track() -> None:
    vectors = PooledVectors(np.zeros((3, 1)), np.array([0, 0, 1]), np.zeros(3, int), ["a"])
    assert vectors.by_track(np.array([1.0, 3.0, 5.0])) == [2.0, 5.0]
