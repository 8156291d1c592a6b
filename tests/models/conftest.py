"""A small made-up data set of two styles in a project of its own, in which stages can run."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
import yaml
from tasks import TASKS

from melodygan.audio.mel import MelConfig
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline import Stage
from melodygan.pipeline.files import digest, sha256_file
from melodygan.pipeline.params import load
from melodygan.scores.sets import RealSets
from melodygan.training.data import Data
from melodygan.training.loop import train

Parameters = dict[str, Any]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a stage of any model can run; its dependencies are the real ones."""
    torch.set_num_threads(1)
    stages = yaml.safe_load((fake.ROOT / "dvc.yaml").read_text())["stages"]
    for entry in stages.values():
        entry["deps"] = [dep for dep in entry["deps"] if not dep.startswith(("src/", "stages/"))]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    fake.write_params(tmp_path, audio=fake.AUDIO.as_dict(), **fake.MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return tmp_path


@pytest.fixture
def features(project: Path) -> FeatureSet:
    """Four train, two validation and two test tracks of each of the labels beat and drone.

    Each has a mix, on which models train, and an instrumental.
    """
    return _features(project, ["beat", "drone"])


@pytest.fixture
def one_label(project: Path) -> FeatureSet:
    """The same with a single label."""
    return _features(project, ["drone"])


def _features(project: Path, labels: Sequence[str]) -> FeatureSet:
    fake.write_features(project / "data/features", fake.with_stems(fake.tunes(labels)))
    return FeatureSet(project / "data/features", fake.AUDIO)


@pytest.fixture
def params(project: Path) -> Callable[..., Any]:
    """The params of a stage, with changes."""

    def of(stage: str, **changes: Any) -> Any:
        return replace(load(TASKS[stage].params_type, stage), **changes)

    return of


@pytest.fixture
def make(project: Path) -> Callable[..., Any]:
    """Make the task of a stage from the data that lie there, untrained."""

    def of(stage: str, params: Any) -> Any:
        torch.manual_seed(0)
        return TASKS[stage].make(params, Data(stage))

    return of


@pytest.fixture
def trained(project: Path) -> Callable[..., Any]:
    """Train the task of a stage with params; its model is written to models/<stage>."""

    def run(stage: str, params: Any) -> Any:
        kind, data = TASKS[stage], Data(stage)
        settings = kind.settings(params)
        assert settings
        task = train(Stage(stage), settings, 0, lambda: kind.make(params, data))
        task.trained().save(Path("models") / stage)
        return task

    return run


_LEARNT: dict[str, Path] = {}


@pytest.fixture
def learnt(
    trained: Callable[..., Any],
    params: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., TrainedVQVAE]:
    """The VQ-VAE in models/vqvae that has learnt the features with changed params.

    Each process trains it once for equal ones: what is tested stands on it.
    """

    def of(**changes: Any) -> TrainedVQVAE:
        values, folder = params("vqvae", **changes), Path("models/vqvae")
        key = digest([repr(values), sha256_file(Path("data/features/mel-00.npy"))])
        if key in _LEARNT:
            shutil.copytree(_LEARNT[key], folder)
        else:
            trained("vqvae", values)
            _LEARNT[key] = Path(shutil.copytree(folder, tmp_path_factory.mktemp("vqvae") / "kept"))
        return TrainedVQVAE.load(folder, fake.AUDIO)

    return of


@pytest.fixture
def misled(make: Callable[..., Any], trained: Callable[..., Any]) -> Callable[..., Any]:
    """A task whose weights have learnt from `wrong` tracks, judged by the `right` ones."""

    def of(
        stage: str,
        params: Any,
        wrong: Sequence[fake.FakeTrack],
        right: Sequence[fake.FakeTrack],
        audio: MelConfig = fake.AUDIO,
    ) -> Any:
        _lay(wrong, audio)
        learnt = {
            name: network.state_dict() for name, network in trained(stage, params).networks.items()
        }
        _lay(right, audio)
        task = make(stage, params)
        for name, network in task.networks.items():
            network.load_state_dict(learnt[name])
        return task

    return of


def _lay(tracks: Sequence[fake.FakeTrack], audio: MelConfig) -> None:
    fake.write_features(Path("data/features"), tracks, audio)
    if tracks[0].sound is not None:
        fake.write_clean(Path("data/clean"), tracks)


@pytest.fixture
def rebuilt_sets(features: FeatureSet) -> Callable[..., RealSets]:
    """Real tracks through a VQ-VAE, which a generator of its latents cannot improve on."""

    def of(vqvae: TrainedVQVAE) -> RealSets:
        train, test = (
            [vqvae.rebuild(track.mel) for track in features.tracks(split)]
            for split in ("train", "test")
        )
        return RealSets(train, test, vqvae.params.frames, 0)

    return of


@pytest.fixture
def learns_music(
    make: Callable[..., Any], trained: Callable[..., Any], rebuilt_sets: Callable[..., RealSets]
) -> Callable[..., Any]:
    """Train a latent prior: it comes to make ordered music of the wanted label; the task.

    untrained: the anchor of time distance that it is worse than before.
    """

    def of(vqvae: TrainedVQVAE, params: Any, untrained: str) -> Any:
        rebuilt = rebuilt_sets(vqvae)
        task = make("latent_prior", params)
        before = rebuilt.scores(np.concatenate(list(task.invent(64).values())))
        assert before["time_distance"]["value"] > before["time_distance"][untrained]

        task = trained("latent_prior", params)
        after = rebuilt.scores(np.concatenate(list(task.invent(64).values())))
        for name, ideal in (("kernel_distance", 0.0), ("time_distance", 0.0), ("order_auc", 0.5)):
            missing = [of[name]["value"] - ideal for of in (before, after)]
            assert missing[1] < 0.5 * missing[0], name
        assert after["time_distance"]["value"] < after["time_distance"]["shuffled"]

        scores = task.test()
        assert scores["label_accuracy"]["value"] > 0.9 > scores["label_accuracy"]["chance"]
        return task

    return of
