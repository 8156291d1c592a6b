"""A folder full of trouble goes through the data stages: each file is accepted or refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml

from melodygan.pipeline.names import clean
from melodygan.sources.naming import may_be_sound

from .conftest import Project
from .corpus import Corpus

Hostile = tuple[Project, Corpus]
AT_LEAST = 1000


def all_files(corpus: Corpus) -> list[str]:
    """Everything in the corpus that is no folder, by its path there."""
    found = [
        (Path(folder) / name).relative_to(corpus.folder).as_posix()
        for folder, _, names in os.walk(corpus.folder)
        for name in names
    ]
    links = [name for name in corpus.left_out if (corpus.folder / name).is_dir()]
    return sorted({*found, *links})


def results(project: Project) -> dict[str, dict[str, Any]]:
    """The row of data/clean's index by the file's path in the corpus."""
    locked = yaml.safe_load((project.root / "data/sources.lock.yaml").read_text("utf-8"))
    rows = {row["track"]: row for row in project.index("clean")}
    assert rows.keys() == {track["track"] for track in locked["tracks"]}
    return {
        track["path"].removeprefix("music/"): rows[track["track"]] for track in locked["tracks"]
    }


def test_every_file_is_accepted_or_refused_with_a_reason(hostile: Hostile) -> None:
    project, corpus = hostile
    names = all_files(corpus)
    assert len(names) >= AT_LEAST
    done = results(project)
    others = set(names) - done.keys() - corpus.left_out.keys()
    assert others and not any(map(may_be_sound, others)) and not others & {*corpus.accepted}
    assert (
        f"lock: music: {len(others)} files that are no audio, such as " in project.printed["lock"]
    )
    assert sorted([*done, *corpus.left_out, *others]) == names
    rejected = {name: row["rejected"] for name, row in done.items() if "rejected" in row}
    assert min(len(rejected), len(done) - len(rejected)) > AT_LEAST // 4
    for name, reason in rejected.items():
        assert reason.isprintable() and reason.strip(), (name, reason)
        assert len(reason) < 200, (name, reason)
        assert "Traceback" not in reason, (name, reason)
        assert "/" not in reason.replace("Input/output", ""), (name, reason)
    for name in (*corpus.accepted, *corpus.sentinels):
        assert name not in rejected, (name, rejected[name])
    for name, words in corpus.rejected.items():
        assert words in rejected[name], (name, rejected[name])
    accepted = [row for row in done.values() if "rejected" not in row]
    assert sorted(row["track"] for row in project.index("features")) == sorted(
        row["track"] for row in accepted
    )


def test_what_is_no_file_is_left_out_with_a_line(hostile: Hostile) -> None:
    project, corpus = hostile
    lines = project.printed["lock"].splitlines()
    for name, words in corpus.left_out.items():
        (line,) = [line for line in lines if line.startswith(f"lock: {clean(name)}: ")]
        assert words in line
        assert line.endswith(": left out")
    left_out = [line for line in lines if line.endswith(": left out")]
    assert len(left_out) == len(corpus.left_out) + 1  # one for all that is no audio


def test_good_tracks_come_out_as_without_their_neighbours(hostile: Hostile, calm: Project) -> None:
    project, corpus = hostile
    among, alone = results(project), results(calm)
    assert alone.keys() == set(corpus.sentinels)
    for name in corpus.sentinels:
        assert without_place(among[name]) == without_place(alone[name])
        track = among[name]["track"]
        for kind, rows in (("mel", "frames"), ("mfcc", "frames"), ("pooled", "pooled_rows")):
            parts = [features(p, track, kind, rows) for p in (project, calm)]
            assert parts[0].tobytes() == parts[1].tobytes()


def without_place(row: dict[str, Any]) -> dict[str, Any]:
    """A row without where in the shards it lies, which depends on what else is there."""
    return {k: v for k, v in row.items() if k != "shard" and not k.endswith("start")}


def features(project: Project, track: str, kind: str, rows: str) -> np.ndarray:
    """One track's rows of a kind of features."""
    (row,) = [row for row in project.index("features") if row["track"] == track]
    shard = np.load(project.root / f"data/features/{kind}-{row['shard']:02d}.npy", mmap_mode="r")
    start = row["pooled_start" if kind == "pooled" else "start"]
    assert row[rows] > 0 and np.isfinite(shard).all()
    return shard[start : start + row[rows]]


def test_nothing_is_left_behind_or_brought_in(hostile: Hostile) -> None:
    project, corpus = hostile
    for name, row in results(project).items():
        if name.startswith("impostors/") and name.endswith((".m3u8", ".sdp")):
            assert "rejected" in row, name  # each names a sound outside the folder
    secret = corpus.secret.read_bytes()
    for path in (project.root / "data/raw").iterdir():
        assert path.stat().st_size != len(secret) or path.read_bytes() != secret
    top = {"src", "stages", "dvc.yaml", "params.yaml", "data", "music", "metrics", ".cache", ".dvc"}
    assert {path.name for path in project.root.iterdir()} == top
    assert not [*project.root.rglob("*.tmp"), *project.root.rglob("ran")]
    here = [p.pid for p in psutil.process_iter() if _works_in(p, project.root)]
    assert not here


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except psutil.Error:
        return False


def test_the_output_has_no_traceback_and_no_terminal_codes(hostile: Hostile) -> None:
    project, _ = hostile
    for name in project.printed:
        both = project.printed[name] + project.errors[name]
        assert "Traceback" not in both, f"{name}: {both[:2000]}"
        assert "\x1b" not in both
