"""The whole of a training stage for a model that needs nothing but data/features."""

from dataclasses import asdict
from pathlib import Path
from typing import Protocol, TypeVar

from melodygan.audio.mel import MelConfig
from melodygan.dataset.feature_set import FeatureSet
from melodygan.pipeline.files import write_json
from melodygan.pipeline.params import load, load_seed
from melodygan.pipeline.stage import Stage
from melodygan.training.loop import train
from melodygan.training.settings import TrainSettings
from melodygan.training.task import Task
from melodygan.training.verdict import verdict
from melodygan.training.weights import save_model

P = TypeVar("P", bound=TrainSettings)
P_in = TypeVar("P_in", bound=TrainSettings, contravariant=True)


class FeatureTask(Task):
    """A task whose scores can be had on any split.

    `validate(split)` has the key `score`, and `baseline_<score>`: the score without learning.
    """

    def validate(self, split: str = "validation") -> dict[str, float]:
        """Scores on held-out tracks of `split`."""
        raise NotImplementedError


class MakeTask(Protocol[P_in]):
    """The class of a task, or a function that makes one."""

    def __call__(self, params: P_in, features: FeatureSet, /) -> FeatureTask: ...


def train_on_features(stage: Stage, params_type: type[P], make: MakeTask[P]) -> None:
    """Train the stage's task; write models/<stage>, metrics/<stage>.json and the verdict.

    params_type: what the stage's group of params.yaml is read into. The network with the stage's
    name is saved, with the parameters and the mean and standard deviation of the log-mel.
    """
    params, audio = load(params_type, stage.name), load(MelConfig, "audio")
    features = FeatureSet(Path("data/features"), audio)
    task = train(stage, params, load_seed(), lambda: make(params, features))
    mean, std = features.statistics()
    config = {"params": asdict(params), "mean": mean, "std": std}
    weights = task.networks[stage.name].state_dict()
    save_model(Path("models") / stage.name, weights, config, audio)
    scores = task.validate("test")
    write_json(Path(f"metrics/{stage.name}.json"), scores)
    name = task.score or next(iter(scores))
    baseline = scores[f"baseline_{name}"]
    print(verdict(stage.name, task.outcome, name, scores[name], baseline, ideal=0.0))
