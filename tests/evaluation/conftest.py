"""Music of two labels with sound, and a data/generated in which anything may be planted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from melodygan.audio.pcm import from_int16, to_int16
from melodygan.audio.wav import write_wav
from melodygan.dataset.clean_audio import CleanAudio
from melodygan.dataset.feature_set import FeatureSet
from melodygan.evaluation.generated import Judge
from melodygan.evaluation.index import Made, read_index
from melodygan.pipeline.files import write_json, write_rows

Float = NDArray[np.float32]
Groups = dict[tuple[str, str], list[Made]]
AUDIO = fake.AUDIO
SECONDS = 6
CLIP = AUDIO.sample_rate  # samples of an invented clip


def tune(label: str, seed: int, seconds: int = SECONDS) -> Float:
    """Eighth notes at 120 beats per minute.

    drone: held and thin; pop: struck, with overtones; any other label: struck, without.
    """
    rng = np.random.default_rng(seed)
    length = AUDIO.sample_rate // 4
    notes = []
    for pitch in rng.integers(0, 24, 4 * seconds):
        time = np.arange(length) / AUDIO.sample_rate
        hz = 220 * 2 ** (pitch / 12)
        if label == "drone":
            notes.append(np.sin(2 * np.pi * hz * time) * np.minimum(1, 40 * time))
        elif label != "pop":
            notes.append(np.sin(2 * np.pi * hz * time) * np.exp(-12 * time))
        else:
            partials = [np.sin(2 * np.pi * k * hz * time) / k for k in range(1, 6) if k * hz < 3900]
            notes.append(sum(partials) * np.exp(-12 * time))
    noise = 0.003 * rng.standard_normal(length * len(notes))
    return (0.3 * np.concatenate(notes) + noise).astype(np.float32)


class World:
    """A project with data/clean, data/features and dvc.yaml; sounds by track."""

    def __init__(self, root: Path, labels: Sequence[str]) -> None:
        self.root, self.labels, self.rows = root, labels, []
        tracks = [
            fake.of_sound(f"{label}-{n}", label, split, to_int16(tune(label, 100 * i + n)))
            for i, label in enumerate(labels)
            for n, split in enumerate(fake.SPLITS)
        ]
        self.tracks = tracks
        self.sounds = {t.track: from_int16(t.sound) for t in tracks if t.sound is not None}
        self.splits = {t.track: t.split for t in tracks}
        fake.write_features(root / "data/features", tracks)
        fake.write_clean(root / "data/clean", tracks)
        self.features = FeatureSet(root / "data/features", AUDIO)

    def stems(self) -> dict[str, Float]:
        """Give every track a duller instrumental, on which models train; its sounds by track."""
        mixes, stems = self.tracks, []
        for track in mixes:
            sound = np.asarray(track.sound, np.float32)
            smooth = to_int16((sound[:-1] + sound[1:]) / 2**16)
            padded = np.concatenate([smooth, smooth[-1:]])
            made = fake.of_sound(track.track, track.label, track.split, padded)
            stems.append(replace(made, stem="instrumental"))
        both = [track for pair in zip(stems, mixes, strict=True) for track in pair]
        fake.write_features(self.root / "data/features", both)
        fake.write_clean(self.root / "data/clean", both)
        self.features = FeatureSet(self.root / "data/features", AUDIO)
        return {t.track: from_int16(t.sound) for t in stems if t.sound is not None}

    def of(self, split: str, label: str = "") -> list[str]:
        """Tracks of a split, of a label or of all."""
        return [t for t, s in self.splits.items() if s == split and t.startswith(label)]

    def cuts(self, split: str, count: int, seed: int = 0) -> list[Float]:
        """`count` pieces of tracks of a split, as long as an invented clip."""
        rng = np.random.default_rng(seed)
        tracks = self.of(split)
        starts = rng.integers(0, SECONDS * AUDIO.sample_rate - CLIP, count)
        return [
            self.sounds[tracks[i % len(tracks)]][start : start + CLIP]
            for i, start in enumerate(starts.tolist())
        ]

    def add(self, model: str, kind: str, sound: Float, **row: Any) -> None:
        """Put one clip into data/generated; `write` is still to be called."""
        place = f"{model}/{kind}s/{len(self.rows):03d}"
        path = self.root / f"data/generated/{place}.wav"
        peak = write_wav(path, [sound], AUDIO.sample_rate)
        empty = {"track": None, "source": None, "label": None}
        self.rows.append(
            {"name": place, "model": model, "kind": kind, "peak": peak, **empty, **row}
        )

    def retuned(self, track: str, label: str) -> Float:
        """The same notes in another label's sound: a perfect conversion."""
        number = int(track.rsplit("-", 1)[1])
        return tune(label, 100 * self.labels.index(track.rsplit("-", 1)[0]) + number)

    def samples(self, model: str, sounds: Sequence[Float]) -> None:
        """Put invented clips there."""
        for sound in sounds:
            self.add(model, "sample", sound)

    def groups(self) -> Groups:
        """What was put there, as the stage reads it."""
        write_rows(self.root / "data/generated/index.jsonl", self.rows)
        return read_index(self.root / "data/generated", AUDIO)

    def judge(self, **changes: Any) -> Judge:
        """A judge without a jury."""
        clean = CleanAudio(self.root / "data/clean", "test", self.features.stem)
        return Judge(self.features, clean, 0, **({"jury": None} | changes))

    def declare(self, *models: str) -> None:
        """A dvc.yaml whose stage evaluate has the scores of `models` among its deps."""
        deps = [f"metrics/{model}{name}" for model in models for name in (".json", "/run.json")]
        stages = {model: {"desc": f"The {model}"} for model in models}
        stages["evaluate"] = {"deps": deps}
        (self.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))

    def tested(self, model: str, scores: dict[str, Any], verdict: str = "") -> None:
        """What a training stage leaves."""
        write_json(self.root / f"metrics/{model}.json", scores)
        record = {"verdict": verdict, "settings": {"steps": 7}, "outcome": {"best_step": 5}}
        write_json(self.root / f"metrics/{model}/run.json", record)


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., World]:
    """Makes four train, two validation and two test tracks of each label, mostly drone and pop."""
    torch.set_num_threads(1)
    return lambda *labels: World(tmp_path_factory.mktemp("world"), labels or ("drone", "pop"))


@pytest.fixture
def world(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    """A new one, in which the test runs."""
    made = make_world()
    monkeypatch.chdir(made.root)
    return made
