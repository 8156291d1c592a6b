"""Reading data/features: the right tracks, the right patches, and clear refusals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.dataset.feature_set import FeatureSet, Patches, Track, patches_of_stems
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import write_json, write_rows

Float = NDArray[np.float32]

AUDIO = MelConfig(
    sample_rate=22050,
    n_fft=1024,
    hop_length=256,
    win_length=1024,
    n_mels=4,
    fmin=0.0,
    fmax=11025.0,
)


def numbered(track: int, frames: int) -> Float:
    """A mel whose every value tells track, frame and band; (frames, 4)."""
    values = track * 10_000 + np.arange(frames)[:, None] * 10 + np.arange(4)
    return values.astype(np.float32)


def track(number: int, frames: int, split: str = "train", label: str = "jazz") -> Track:
    return Track(f"t{number}", "instrumental", label, split, numbered(number, frames))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """data/features with two shards, two stems, three labels, all splits for one of them."""
    plan: list[tuple[int, str, str, str, int]] = [
        (0, "instrumental", "jazz", "train", 0),
        (1, "vocals", "jazz", "train", 0),
        (2, "instrumental", "jazz", "test", 1),
        (3, "instrumental", "rock", "train", 1),
        (4, "instrumental", "jazz", "validation", 1),
    ]
    shards: dict[int, list[Float]] = {0: [], 1: []}
    rows: list[dict[str, Any]] = []
    for number, stem, label, split, shard in plan:
        start = sum(map(len, shards[shard]))
        mel = numbered(number, 20 + number)
        shards[shard].append(mel)
        row = {"track": f"t{number}", "stem": stem, "label": label, "split": split}
        rows.append(row | {"shard": shard, "start": start, "frames": len(mel)})
    for shard, mels in shards.items():
        np.save(tmp_path / f"mel-{shard:02d}.npy", np.concatenate(mels))
    write_rows(tmp_path / "index.jsonl", rows)
    meta = {
        "audio": AUDIO.as_dict(),
        "labels": ["jazz", "rock"],
        "stems": ["instrumental", "vocals"],
        "statistics": {
            "instrumental": {"mean": -1.0, "std": 2.0},
            "vocals": {"mean": -3.0, "std": 4.0},
        },
    }
    write_json(tmp_path / "meta.json", meta)
    return tmp_path


def test_tracks_of_the_first_stem_are_found_by_split_and_label(folder: Path) -> None:
    features = FeatureSet(folder, AUDIO)
    assert [t.track for t in features.tracks("train")] == ["t0", "t3"]
    assert [t.track for t in features.tracks("train", "rock")] == ["t3"]
    assert [t.track for t in features.tracks("train", stem="vocals")] == ["t1"]
    assert features.statistics() == (-1.0, 2.0)
    assert features.statistics("vocals") == (-3.0, 4.0)


def test_each_track_has_its_own_mel_from_its_shard(folder: Path) -> None:
    features = FeatureSet(folder, AUDIO)
    for number, split in [(0, "train"), (2, "test"), (4, "validation")]:
        np.testing.assert_array_equal(features.tracks(split)[0].mel, numbered(number, 20 + number))


def test_mels_are_mapped_and_not_read_whole(folder: Path) -> None:
    mel = FeatureSet(folder, AUDIO).tracks("train")[0].mel
    assert isinstance(mel, np.memmap) and not mel.flags.writeable


@pytest.mark.parametrize(("split", "label"), [("test", "rock"), ("validation", "rock")])
def test_a_missing_split_of_a_label_says_what_to_do(folder: Path, split: str, label: str) -> None:
    with pytest.raises(UserError) as error:
        FeatureSet(folder, AUDIO).tracks(split, label)
    message = str(error.value)
    assert f"no {split} track with label {label}" in message
    assert "data/sources.yaml" in message and "three" in message
    assert len(message.splitlines()) == 1


def test_another_mel_configuration_is_refused_with_both_shown(folder: Path) -> None:
    with pytest.raises(UserError) as error:
        FeatureSet(folder, replace(AUDIO, fmax=8000.0))
    message = str(error.value)
    assert "fmax=11025.0" in message and "fmax=8000.0" in message and str(folder) in message
    assert "n_mels" not in message, "only what differs"
    assert len(message.splitlines()) == 1


def test_features_that_were_never_made_say_what_makes_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"meta\.json is missing: run `dvc repro`"):
        FeatureSet(tmp_path, AUDIO)


def test_random_patches_are_true_pieces_of_the_tracks() -> None:
    tracks = [track(0, 12), track(1, 20), track(2, 8)]
    patches = Patches(tracks, 8).random(200, np.random.default_rng(0))
    assert patches.shape == (200, 8, 4) and patches.dtype == np.float32
    for patch in patches:
        number, start = divmod(int(patch[0, 0]), 10_000)
        start //= 10
        np.testing.assert_array_equal(patch, tracks[number].mel[start : start + 8])


def places(patches: Float) -> list[int]:
    """What `numbered` wrote into the first frame of each patch."""
    return [int(patch[0, 0]) for patch in patches]


def test_every_position_of_every_track_is_equally_likely() -> None:
    """Tracks of 3, 1 and 6 positions: ten places, each a tenth of 20,000 draws."""
    tracks = [track(0, 10), track(1, 8), track(2, 13)]
    drawn = places(Patches(tracks, 8).random(20_000, np.random.default_rng(0)))
    wanted = [
        n * 10_000 + start * 10 for n, room in ((0, 3), (1, 1), (2, 6)) for start in range(room)
    ]
    found, counts = np.unique(drawn, return_counts=True)
    assert found.tolist() == wanted
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000 * 0.9)  # five standard deviations


def test_the_same_generator_state_draws_the_same_patches() -> None:
    patches = Patches([track(0, 50)], 8)
    first, second = (patches.random(5, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_tracks_shorter_than_a_patch_are_left_out() -> None:
    patches = Patches([track(0, 7), track(1, 9), track(2, 3)], 8)
    assert {place // 10_000 for place in places(patches.random(50, np.random.default_rng(0)))} == {
        1
    }


def test_no_track_long_enough_names_the_longest() -> None:
    with pytest.raises(UserError, match=r"no track has 8 frames \(the longest has 7\)"):
        Patches([track(0, 7), track(1, 5)], 8)


def test_regular_patches_lie_at_multiples_of_the_hop() -> None:
    patches = Patches([track(0, 20), track(1, 8)], 8)
    assert places(patches.regular(4)) == [0, 40, 80, 120, 10_000]
    assert places(patches.regular(8)) == [0, 80, 10_000]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_regular_patches_are_thinned_evenly_from_all_tracks(limit: int) -> None:
    tracks = [track(n, 40) for n in range(4)]
    kept = places(Patches(tracks, 8).regular(4, limit))
    assert len(kept) == len(set(kept)) == limit
    assert kept == sorted(kept)
    if limit > 1:
        assert kept[0] // 10_000 == 0 and kept[-1] // 10_000 == 3


def test_a_generous_limit_thins_nothing() -> None:
    patches = Patches([track(0, 20)], 8)
    np.testing.assert_array_equal(patches.regular(4, 100), patches.regular(4))


@settings(deadline=None)
@given(st.lists(st.integers(8, 40), min_size=1, max_size=6), st.integers(1, 12), st.integers(1, 60))
def test_regular_patches_are_those_of_each_track_in_turn(
    lengths: list[int], hop: int, limit: int
) -> None:
    patches = Patches([track(n, length) for n, length in enumerate(lengths)], 8)
    wanted = [
        n * 10_000 + start * 10
        for n, length in enumerate(lengths)
        for start in range(0, length - 8 + 1, hop)
    ]
    assert places(patches.regular(hop)) == wanted
    kept = places(patches.regular(hop, limit))
    assert len(kept) == min(limit, len(wanted)) and set(kept) <= set(wanted)


def test_stems_are_cut_at_one_place(tmp_path: Path) -> None:
    """Their mels differ by 100 everywhere, so patches of one moment do too."""
    rng = np.random.default_rng(0)
    tracks = []
    for number, frames in enumerate((40, 60, 50)):
        mel = rng.standard_normal((frames, 32)).astype(np.float32)
        tracks.append(fake.FakeTrack(f"t{number}", "pop", "train", mel, stem="mix"))
        if number < 2:
            tracks.append(fake.FakeTrack(f"t{number}", "pop", "train", mel + 100, stem="vocals"))
    fake.write_features(tmp_path / "features", tracks, stems=["mix", "vocals"])
    features = FeatureSet(tmp_path / "features", fake.AUDIO)
    mix, vocals = patches_of_stems(features, "train", ["mix", "vocals"], 16)
    places = mix.places(50, rng)
    assert mix.at(places).shape == (50, 16, 32)
    assert np.allclose(vocals.at(places) - mix.at(places), 100, atol=1e-4)
    with pytest.raises(UserError, match="no train track of stem instrumental"):
        patches_of_stems(features, "train", ["mix", "instrumental"], 16)
