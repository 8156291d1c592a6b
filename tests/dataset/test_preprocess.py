"""The preprocess stage on a small real project."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile
from numpy.typing import NDArray

from melodygan.dataset.preprocess import restore_clean
from melodygan.pipeline.entries import SUMS
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_json, read_rows

CLEAN_RATE = 22050
RATE = 44100
Song = Callable[..., NDArray[np.float32]]


def samples_of(clean: Path, row: dict[str, Any]) -> NDArray[np.int16]:
    shard = np.load(clean / f"audio-{row['shard']:02d}.npy", mmap_mode="r")
    return np.asarray(shard[row["start"] : row["start"] + row["samples"]])


def files_of(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_clean_tracks_are_mono_sixteen_bit_at_the_loudness_asked_for(project: Any) -> None:
    clean = project.preprocess(loudness_lufs=-18.0)
    rows = read_rows(clean / "index.jsonl")
    assert [row["track"] for row in rows] == ["rock-0", "rock-1", "rock-2"]
    assert [row["split"] for row in rows] == ["train", "test", "validation"]
    assert read_json(clean / "meta.json")["sample_rate"] == CLEAN_RATE
    for row in rows:
        samples = samples_of(clean, row)
        assert samples.dtype == np.int16
        assert hashlib.sha256(samples.tobytes()).hexdigest() == row["sha256"]
        loudness = pyloudnorm.Meter(CLEAN_RATE).integrated_loudness(samples / 32767)
        assert loudness == pytest.approx(-18, abs=0.5)
        assert row["loudness_after_lufs"] == pytest.approx(loudness, abs=0.02)


def test_the_true_peak_ceiling_wins_over_the_loudness(project: Any) -> None:
    clean = project.preprocess(loudness_lufs=-6.0)
    for row in read_rows(clean / "index.jsonl"):
        peak = 20 * np.log10(np.abs(samples_of(clean, row)).max() / 32767)
        assert -1.5 < peak <= -1
        assert row["loudness_after_lufs"] < -6.5


def test_stems_stay_aligned_with_one_gain(project: Any, make_song: Song) -> None:
    silence = np.zeros((2 * RATE, 2), np.float32)
    music = np.concatenate([make_song(7, 2), silence, make_song(8, 2)])
    project.add("gap", "rock", 3, {"vocals": 0.5 * music, "instrumental": music})
    clean = project.preprocess(stems=["instrumental", "vocals"])
    rows = [row for row in read_rows(clean / "index.jsonl") if row["track"] == "gap"]
    assert [row["stem"] for row in rows] == ["instrumental", "vocals"]
    instrumental, vocals = (samples_of(clean, row).astype(float) for row in rows)
    assert len(instrumental) == len(vocals) < 4.7 * CLEAN_RATE
    assert np.abs(vocals - 0.5 * instrumental).max() <= 3  # 16-bit steps, before and after the gain


def test_the_mix_is_the_sum_of_the_stems(project: Any) -> None:
    clean = project.preprocess(stems=["mix", "vocals", "instrumental"], true_peak_db=-1.0)
    rows = {(row["track"], row["stem"]): row for row in read_rows(clean / "index.jsonl")}
    mix, vocals, music = (
        samples_of(clean, rows["rock-1", stem]).astype(float)
        for stem in ("mix", "vocals", "instrumental")
    )
    assert np.abs(mix - vocals - music).max() <= 2


def test_without_separation_the_mix_stands_in_for_the_instrumental(
    make_project: Callable[[str], Any], capsys: pytest.CaptureFixture[str], make_song: Song
) -> None:
    project = make_project("whole")
    project.add("a", "rock", 0, {"mix": make_song(1)})
    clean = project.preprocess()
    assert [row["stem"] for row in read_rows(clean / "index.jsonl")] == ["instrumental"]
    assert "not separated" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"asks for vocals.*has only mix"):
        project.preprocess(stems=["instrumental", "vocals"])


@pytest.mark.parametrize("stems", [["instrumental", "mix"], ["mix", "instrumental"]])
def test_without_separation_no_sound_is_kept_twice(
    make_project: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
    make_song: Song,
    stems: list[str],
) -> None:
    project = make_project("whole")
    project.add("a", "rock", 0, {"mix": make_song(1)})
    project.add("b", "rock", 1, {"mix": make_song(2)})
    first, second = stems
    alone, both = (
        (files_of(project.preprocess(stems=wanted)), capsys.readouterr().out)
        for wanted in ([first], stems)
    )
    assert both[0] == alone[0]
    said = f"preprocess: nothing is separated: {second} is what {first} is, and is left out"
    assert both[1].splitlines()[0] == said and "nothing" not in alone[1]
    assert read_json(project.features() / "meta.json")["stems"] == [first]
    project.add("c", "rock", 2, {"vocals": make_song(3), "instrumental": make_song(4)})
    kept = [row["stem"] for row in read_rows(project.preprocess(stems=stems) / "index.jsonl")]
    assert kept == 3 * stems, "one that is separated needs both, and all have the same"


def test_unusable_tracks_are_listed_with_file_and_reason(project: Any, make_song: Song) -> None:
    loud = np.clip(make_song(1) * 50, -1, 1)
    project.add_row("broken", "rock", 3, rejected="not decodable audio")
    project.add("clipped", "rock", 4, {"vocals": 0 * loud, "instrumental": loud})
    project.add("short", "rock", 5, {"mix": make_song(2, 1.0)})
    project.add("silent", "rock", 6, {"mix": 0 * loud})
    project.add("uneven", "rock", 7, {"vocals": make_song(3, 4), "instrumental": make_song(3, 5)})
    project.add("damaged", "rock", 8, {"mix": make_song(4)})
    damaged = Path("flac/damaged.mix.flac")
    damaged.write_bytes(damaged.read_bytes()[:20_000])
    project.pack(8 % 2)
    clean = project.preprocess(stems=["mix"])
    metrics = read_json(Path("metrics/preprocess.json"))
    assert metrics["tracks"] == {"accepted": 3, "rejected": 6}
    assert metrics["labels"] == {"rock": {"train": 1, "test": 1, "validation": 1}}
    assert metrics["minutes"]["total"] == pytest.approx(12 / 60, abs=0.01)
    reasons = {reject["file"]: reject["reason"] for reject in metrics["rejects"]}
    assert list(reasons) == sorted(reasons)
    assert reasons["broken.mp3"] == "not decodable audio"
    assert reasons["clipped.mp3"].startswith("clipped (")
    assert reasons["short.mp3"] == "shorter than 3 s after trimming (1.0 s of 1.0 s)"
    assert reasons["silent.mp3"] == "silent"
    assert reasons["uneven.mp3"] == "stems of unequal length or format"
    assert reasons["damaged.mp3"].startswith("damaged")
    rejected = [row for row in read_rows(clean / "index.jsonl") if "rejected" in row]
    assert len(rejected) == 6
    assert all(row.keys() == {"track", "file", "rejected"} for row in rejected)


def test_clipping_of_the_mix_counts_though_no_stem_is_clipped(
    make_project: Callable[[str], Any], make_song: Song
) -> None:
    project = make_project("loud")
    flat = np.clip(make_song(1) * 50, -1, 1)
    project.add("loud", "rock", 0, {"vocals": 0.4 * flat, "instrumental": 0.6 * flat})
    with pytest.raises(UserError, match="1 x clipped"):
        project.preprocess()


def test_nothing_usable_fails_with_the_reasons_and_leaves_nothing(
    make_project: Callable[[str], Any], make_song: Song
) -> None:
    project = make_project("useless")
    project.add("a", "rock", 0, {"mix": make_song(1, 1.0)})
    project.add("b", "rock", 1, {"mix": make_song(2, 1.5)})
    project.add_row("c", "rock", 2, rejected="not decodable audio (no header)")
    with pytest.raises(UserError) as caught:
        project.preprocess()
    assert "none of the 3 tracks is usable" in str(caught.value)
    assert "2 x shorter than 3 s after trimming, 1 x not decodable audio" in str(caught.value)
    assert not list(Path("data").glob("clean*"))
    assert not Path("metrics/preprocess.json").exists()


def test_a_lost_file_of_stems_is_an_error_and_no_reject(project: Any) -> None:
    Path("data/stems/stems-01.tar").unlink()
    with pytest.raises(UserError, match=r"stems-01\.tar is missing: run `dvc repro"):
        project.preprocess()


def test_the_other_stem_is_not_decoded_for_nothing(project: Any) -> None:
    for vocals in Path("flac").glob("*.vocals.flac"):
        vocals.write_bytes(b"nothing")
    for shard in project.packed:
        project.pack(shard)
    project.preprocess(stems=["instrumental"])
    assert read_json(Path("metrics/preprocess.json"))["tracks"] == {"accepted": 3, "rejected": 0}
    with pytest.raises(UserError, match="3 x not decodable"):
        project.preprocess(stems=["mix"])


def test_more_clipping_in_the_mix_is_new_work(project: Any) -> None:
    project.preprocess()
    project.rows[1]["clipped"] = 0.5
    project.pack(0)
    clean = project.preprocess()
    rows = {row["track"]: row for row in read_rows(clean / "index.jsonl")}
    assert rows["rock-1"]["rejected"] == "clipped (50% of the samples)"
    assert rows["rock-0"]["clipped"] == 0


def test_equal_stems_give_equal_bytes_on_any_number_of_workers(
    make_project: Callable[[str], Any], make_song: Song
) -> None:
    results = []
    for name in ("first", "second"):
        project = make_project(name)
        if name == "second":
            params = Path("params.yaml")
            params.write_text(params.read_text().replace("workers: 1", "workers: 2"))
        # the order of the index differs, as it may when tracks were added at other times
        for i in (0, 1, 2) if name == "first" else (2, 0, 1):
            project.add(f"t{i}", "rock", i, {"mix": make_song(i)})
        results.append(files_of(project.preprocess()))
        results[-1]["metrics"] = Path("metrics/preprocess.json").read_text()
    assert results[0] == results[1]


def test_a_new_track_changes_one_shard_and_its_work_alone_is_done(
    project: Any, capsys: pytest.CaptureFixture[str], make_song: Song
) -> None:
    for i in range(3, 9):
        project.add(f"rock-{i}", "rock", i, {"mix": make_song(i)})
    before = files_of(project.preprocess())
    assert "9 of 9 tracks to do" in capsys.readouterr().out
    project.add("rock-new", "rock", 9, {"mix": make_song(99)})
    after = files_of(project.preprocess())
    assert "1 of 10 tracks to do" in capsys.readouterr().out
    changed = {name for name in after if after[name] != before.get(name)}
    assert len([name for name in changed if name.startswith("audio-")]) == 1
    assert changed >= {"index.jsonl"}


def test_a_track_is_restored_from_the_output_as_it_was_made(project: Any, make_song: Song) -> None:
    project.add("short", "rock", 3, {"mix": make_song(2, 1.0), "vocals": make_song(3, 1.0)})
    clean = project.preprocess(stems=["mix", "vocals"], shards=2)
    index = read_rows(clean / "index.jsonl")
    keys = {row["track"]: row["key"] for row in read_rows(Path("data/keys/preprocess.jsonl"))}
    assert keys.keys() == {row["track"] for row in index}
    for track, key in keys.items():
        folder = Path("restored") / track
        folder.mkdir(parents=True)
        restore_clean([row for row in index if row["track"] == track], clean, folder)
        (made,) = Path(".cache/tracks/preprocess").glob(key)
        cached = files_of(made)
        del cached[SUMS]  # the side cache's own
        assert files_of(folder) == cached


def test_splits_and_shards_change_without_new_work(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    project.preprocess()
    capsys.readouterr()
    clean = project.preprocess(shards=1, test=0.5)
    assert "0 of 3 tracks to do" in capsys.readouterr().out
    assert [p.name for p in clean.glob("audio-*.npy")] == ["audio-00.npy"]


def test_the_first_stem_decides_even_when_the_set_of_stems_is_the_same(project: Any) -> None:
    lengths = []
    for stems in (["instrumental", "vocals"], ["vocals", "instrumental"]):
        rows = read_rows(project.preprocess(stems=stems, min_seconds=1.0) / "index.jsonl")
        assert rows[0]["stem"] == stems[0]
        assert rows[0]["samples"] == rows[1]["samples"]
        lengths.append(rows[0]["samples"])
    assert lengths[0] > lengths[1]  # the vocals have two seconds of silence


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stems": []}, "at least one stem"),
        ({"stems": ["vocals", "vocals"]}, "each once"),
        ({"validation": 0.5, "test": 0.5}, "nothing to train on"),
    ],
)
def test_impossible_parameters_are_refused(
    project: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        project.preprocess(**changes)


def test_index_rows_are_json_without_surprises(project: Any) -> None:
    clean = project.preprocess(stems=["instrumental", "vocals"])
    for line in (clean / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert list(row) == sorted(row)
        assert row.keys() == {
            "clipped", "gain_db", "label", "loudness_after_lufs", "loudness_before_lufs",
            "print_frames", "print_start", "samples", "seconds_before", "sha256", "shard", "split",
            "start", "stem", "track",
        }  # fmt: skip


def test_one_recording_under_several_names_is_used_once_and_in_one_split(
    make_project: Any, make_song: Song, tmp_path: Path
) -> None:
    """Ordinals 0, 1 and 2 of a label are train, test and validation."""
    project = make_project("twins")
    for ordinal in range(3):
        project.add(
            f"swing-{ordinal}", "swing", ordinal, {"instrumental": make_song(100 + ordinal, 8)}
        )
    soundfile.write(tmp_path / "copy.ogg", 0.5 * make_song(100, 8)[3000:], 44100)
    again, _ = soundfile.read(tmp_path / "copy.ogg", dtype="float32")
    project.add("another-name", "pop", 1, {"instrumental": again})
    project.add("pop-0", "pop", 0, {"instrumental": make_song(107, 8)})
    rows = {row["track"]: row for row in read_rows(project.preprocess() / "index.jsonl")}
    assert rows["another-name"]["rejected"] == "same recording as swing-0"
    others = {track: row["split"] for track, row in rows.items() if track != "another-name"}
    assert others == {
        "pop-0": "train", "swing-0": "train", "swing-1": "test", "swing-2": "validation",
    }  # fmt: skip
    metrics = read_json(Path("metrics/preprocess.json"))
    assert metrics["duplicates"] == 1 and metrics["tracks"] == {"accepted": 4, "rejected": 1}


def test_a_rejected_track_takes_no_place_among_the_splits_and_moves_are_told(
    project: Any, make_song: Song, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        sound = make_song(100 + number) * (number != 1)  # the one for test is silent
        project.add(f"x-{number}", "x", number, {"instrumental": sound})

    def splits() -> dict[str, str]:
        rows = read_rows(project.preprocess() / "index.jsonl")
        return {
            row["track"]: row["split"]
            for row in rows
            if "rejected" not in row and row["label"] == "x"
        }

    first = splits()
    assert sorted(first.values()) == ["test", "train", "validation"]
    assert "is now in" not in capsys.readouterr().out
    project.add("x-4", "x", 4, {"instrumental": make_song(104)})
    second = splits()
    assert second | first == second
    assert "is now in" not in capsys.readouterr().out
    project.rows = [row for row in project.rows if row["track"] != "x-2"]
    project.add("x-5", "x", 5, {"instrumental": make_song(105)})
    moved = [track for track, split in splits().items() if second.get(track, split) != split]
    said = capsys.readouterr().out
    assert moved and all(f"track {track} was in {second[track]}" in said for track in moved)
