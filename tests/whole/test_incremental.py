"""One new track costs one track's work, and leaves what a rebuild from nothing would leave."""

import hashlib
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

Project = Any  # the fixture's class, in conftest.py
STAGES = ("separate", "preprocess", "features")
OUTPUTS = ("data/stems", "data/clean", "data/features", "metrics/preprocess.json")


def write_song(path: Path, number: int) -> None:
    """A second and a half of a chord that only `number` has, with an attack and a decay."""
    rng = np.random.default_rng(number)
    time_axis = np.arange(int(1.5 * 22050)) / 22050
    tones = [np.sin(2 * np.pi * hz * time_axis) for hz in rng.uniform(100, 2000, 4)]
    song = 0.2 * np.sum(tones, axis=0) * np.exp(-(time_axis % 0.3) * 6)
    song += 0.01 * rng.standard_normal(len(song))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, song, 22050, "PCM_16")


def contents(root: Path) -> dict[str, str]:
    """SHA-256 of every file of the data side's outputs."""
    files = [
        file
        for output in OUTPUTS
        for path in [root / output]
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    ]
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def done(output: str) -> dict[str, int]:
    """How many tracks each stage says it worked on."""
    found = re.findall(r"(\w+): (\d+) of \d+ tracks to do", output)
    return {stage: int(count) for stage, count in found}


class History:
    """A folder data/raw that is edited at random, and the three stages run on it as scripts."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.root = project, project.root
        self.rng = np.random.default_rng(seed)
        self.songs: dict[str, int] = {}
        self.next = 0
        for _ in range(4):
            self.add()

    def add(self) -> None:
        self.songs[f"song-{self.next:02d}"] = self.next
        self.next += 1

    def change(self) -> None:
        self.songs[str(self.rng.choice(sorted(self.songs)))] = 1000 + self.next
        self.next += 1

    def remove(self) -> None:
        if len(self.songs) > 3:
            del self.songs[str(self.rng.choice(sorted(self.songs)))]

    def params(self) -> None:
        gap, count = float(self.rng.choice([0.1, 0.2, 0.5])), int(self.rng.choice([12, 20]))
        self.project.set({"preprocess": {"silence_gap": gap}, "features": {"n_mfcc": count}})

    def code(self) -> None:
        file = self.root / "src/melodygan/audio/loudness.py"
        file.write_text(file.read_text() + f"\n# edit {self.next}\n")
        self.next += 1

    def kill(self) -> None:
        """Start the stages and kill them, and their children, at some moment."""
        self.write_raw()
        process = self.start()
        time.sleep(float(self.rng.uniform(0.5, 6)))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def write_raw(self) -> None:
        raw = self.root / "data/raw"
        shutil.rmtree(raw, ignore_errors=True)
        rows = []
        for ordinal, (track, number) in enumerate(sorted(self.songs.items())):
            write_song(raw / f"{track}.wav", number)
            sha256 = hashlib.sha256((raw / f"{track}.wav").read_bytes()).hexdigest()
            rows.append(
                {"track": track, "label": "x", "ordinal": ordinal, "file": f"{track}.wav",
                 "sha256": sha256, "title": track, "licence": None, "source": "folder",
                 "start": None, "end": None, "truth": None}
            )  # fmt: skip
        lines = [json.dumps(row, sort_keys=True) + "\n" for row in rows]
        (raw / "index.jsonl").write_text("".join(lines))

    def start(self) -> Any:
        commands = [f"python stages/{stage}.py" for stage in STAGES]
        return self.project.start("sh", "-c", " && ".join(commands))

    def run(self) -> str:
        self.write_raw()
        process = self.start()
        output, _ = process.communicate()
        assert process.returncode == 0, output[-4000:]
        return output


def test_a_random_history_leaves_what_a_cold_build_leaves(data_side: Project) -> None:
    history = History(data_side, seed=1)
    assert done(history.run()) == dict.fromkeys(STAGES, 4)
    steps = ["add", "kill", "params", "remove", "change", "code", "kill", "add", "params"]
    for number, step in enumerate(history.rng.permutation(steps).tolist()):
        getattr(history, step)()
        output = history.run()
        if step == "add":
            assert done(output) == dict.fromkeys(STAGES, 1)
        if step == "remove":
            assert done(output) == dict.fromkeys(STAGES, 0)
        if number % 3 == 2:
            warm = contents(data_side.root)
            (data_side.root / ".cache").rename(data_side.root / "warm")
            history.run()
            assert contents(data_side.root) == warm, f"after {step}"
            shutil.rmtree(data_side.root / ".cache")
            (data_side.root / "warm").rename(data_side.root / ".cache")


def queued(project: Project, *experiment: str) -> str:
    """What an experiment has said that DVC's queue ran, in a folder of its own."""
    project.dvc("exp", "run", "--queue", "--name", "queued", *experiment)
    project.dvc("queue", "start")
    for _ in range(150):
        status = project.dvc("queue", "status")
        if "Success" in status:
            break
        assert "Failed" not in status, project.dvc("queue", "logs", "queued")
        time.sleep(1)
    assert "Success" in status
    return project.dvc("queue", "logs", "queued")


def test_with_dvc_in_experiments_the_queue_old_params_and_a_fresh_clone(
    data_side: Project, tmp_path: Path
) -> None:
    root, music = data_side.root, tmp_path / "music"
    for number in range(4):
        write_song(music / f"tune/{number}.wav", number)
    (root / "data/sources.yaml").write_text(f"sources:\n  - folder: {music}\n")
    data_side.run("melodygan", "lock")
    data_side.dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    data_side.commit("start")
    assert done(data_side.dvc("repro", "features")) == dict.fromkeys(STAGES, 4)
    data_side.commit("four tracks")
    four = contents(root)

    assert done(queued(data_side, "-S", "features.n_mfcc=12", "features")) == {"features": 4}
    output = data_side.dvc("exp", "run", "-S", "features.n_mfcc=12", "features")
    assert done(output).get("features", 0) == 0
    twelve = contents(root)
    assert twelve != four
    data_side.run("git", "checkout", "-q", ".")
    assert done(data_side.dvc("repro", "features")) == {}, "old params come back from the cache"
    assert contents(root) == four

    write_song(music / "tune/4.wav", 4)
    data_side.run("melodygan", "lock")
    data_side.commit("a fifth")
    output = data_side.dvc("exp", "run", "--temp", "features")
    assert done(output) == dict.fromkeys(STAGES, 1)
    assert done(data_side.dvc("repro", "features")) == {}
    data_side.commit("five tracks")
    five = contents(root)
    data_side.dvc("push")

    clone = type(data_side)(tmp_path / "second")
    data_side.run("git", "clone", "-q", str(root), str(clone.root))
    clone.dvc("pull", "features", "preprocess", "separate", "download")
    write_song(music / "tune/5.wav", 5)
    clone.run("melodygan", "lock")
    assert done(clone.dvc("repro", "features")) == dict.fromkeys(STAGES, 1)
    six = contents(clone.root)
    assert six != five

    (root / ".cache").rename(tmp_path / "old-cache")
    shutil.rmtree(root / ".dvc/cache")
    shutil.rmtree(tmp_path / "store")  # from which the last commit's results would come back
    data_side.run("melodygan", "lock")
    assert done(data_side.dvc("repro", "features")) == dict.fromkeys(STAGES, 6)
    assert contents(root) == six
