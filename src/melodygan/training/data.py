"""What a task may read: features, clean audio, other models, each opened when first asked for."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch

from melodygan.audio.mel import MelConfig
from melodygan.dataset.clean_audio import CleanAudio
from melodygan.dataset.feature_set import FeatureSet
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.guard import stage_table
from melodygan.pipeline.params import load, load_seed

T = TypeVar("T")


class Data:
    """The inputs of one stage, under ./data and ./models.

    Only what dvc.yaml declares as the stage's dependencies is opened: DVC would not rerun the
    stage for anything else. audio, seed: of ./params.yaml. made: what `once` has made.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.made: dict[str, Any] = {}
        self.audio, self.seed = load(MelConfig, "audio"), load_seed()
        self._declared = frozenset(stage_table(stage).get("deps", []))

    @cached_property
    def features(self) -> FeatureSet:
        """Log-mel of all tracks. Raises UserError if it is undeclared, missing or foreign."""
        return FeatureSet(self.declared("data/features"), self.audio)

    def clean(self, split: str, stem: str | None = None) -> CleanAudio:
        """Sound of the tracks of a split; stem: None stands for the one that models train on."""
        return CleanAudio(self.declared("data/clean"), split, stem or self.features.stem)

    def model(self, name: str) -> Path:
        """The folder of another stage's model."""
        return self.declared(f"models/{name}")

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made for the first task and kept for others of this process.

        For what depends on the inputs and the seed alone and takes long: the trials of a search
        then share it. It leaves torch's random state as it was, so that the first task and a
        later one begin with the same weights.
        """
        if name not in self.made:
            with torch.random.fork_rng(devices=[]):
                self.made[name] = make()
        made: T = self.made[name]
        return made

    def declared(self, path: str) -> Path:
        """`path`, if it is a dependency of the stage. Raises UserError if not."""
        if path not in self._declared:
            raise UserError(
                f"stage {self.stage} reads {path} outside its deps: add it to "
                f"stages.{self.stage}.deps in dvc.yaml"
            )
        return Path(path)
