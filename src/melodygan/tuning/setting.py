"""What is searched: a stage, its space, its objectives, and the name that all of it makes."""

import math
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any

import torch

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest
from melodygan.pipeline.params import load, load_seed, parse, read_params
from melodygan.pipeline.runtime import Runtime
from melodygan.pipeline.stage import Stage
from melodygan.tuning.sampling import Search
from melodygan.tuning.space import (
    Space,
    Values,
    lookup,
    read_space,
    replaced,
    within,
    without,
)
from melodygan.tuning.stages import task_of
from melodygan.tuning.storage import Direction

VALIDATIONS = 8  # of a trial, at least


@dataclass(frozen=True)
class Objective:
    """A score of the stage's validation, or `minutes`; less of it is better unless `higher`."""

    name: str
    higher: bool = False

    @property
    def direction(self) -> Direction:
        """As Optuna calls it."""
        return "maximize" if self.higher else "minimize"


@dataclass(frozen=True)
class Setting:
    """One search. group: the stage's group of params.yaml. base: of code and inputs. name: of the
    study, which is the same exactly for what can be compared: stage, code, inputs, seed, space,
    objectives, and all params that are not searched."""

    stage: str
    task_type: Any
    group: dict[str, Any]
    space: Space
    objectives: tuple[Objective, ...]
    seed: int
    base: str
    name: str

    def kind_of(self, values: Values) -> str:
        """The group within the stage's group that has the settings of training; "" for itself."""
        return kind_of(self.task_type, self.group, self.stage, values)

    @property
    def validate_every(self) -> int:
        """Steps between validations of a trial."""
        group = replaced(self.group, self.space.fixed)
        params = parse(self.task_type.params_type, group, self.stage)
        return int(self.task_type.settings(params).validate_every)

    def search(self, count: int | None) -> Search:
        """The plan of `count` trials, None: without end."""
        names = tuple(each.name for each in self.objectives)
        return Search(
            self.name, self.space, self.group, self.seed, count, names, self._kind_of_trial
        )

    def _kind_of_trial(self, values: Values) -> str:
        try:
            return self.kind_of(values)
        except UserError:  # impossible values: the run will say so, and count as failed
            return ""


def prepare(stage: str, objectives: str | None = None, searched: bool = True) -> Setting:
    """Read tune.yaml, params.yaml and the inputs of a stage, which take some 1.5 GB/s.

    objectives: names with commas between, `name:max` where more is better; None: the score by
    which the stage keeps its weights. searched: else the space is empty, and all runs have the
    values of params.yaml. Raises UserError for what cannot be searched.
    """
    task_type = task_of(stage)
    group = read_params().get(stage)
    params: Any = load(task_type.params_type, stage)  # whose errors are readable
    assert isinstance(group, dict)
    if task_type.settings(params) is None:
        raise UserError(f"stage {stage} has nothing to train as params.yaml stands")
    chosen = _objectives(task_type, stage, objectives)
    space = Space({})
    if searched:
        kind = kind_of(task_type, group, stage, {})
        space = read_space(stage, task_type.params_type, group, kind)
        often = _validations(task_type, group, stage, space)
        space = replace(space, fixed=space.fixed | often)
    base, seed = Stage(stage).fingerprint(None), load_seed()
    facts = {
        "base": base, "seed": seed, "audio": asdict(load(MelConfig, "audio")),
        "space": space.as_json(), "group": without(group, space),
        "objectives": [[each.name, each.higher] for each in chosen],
        "precision": Runtime.read().precision, "torch": torch.__version__,
    }  # fmt: skip
    name = f"{stage}{'' if searched else '-scale'}-{digest(facts)[:8]}"
    return Setting(stage, task_type, group, space, chosen, seed, base, name)


def kind_of(task_type: Any, group: dict[str, Any], stage: str, values: Values) -> str:
    """As `Setting.kind_of`. Raises UserError for impossible values."""
    if not any(is_dataclass(each.type) for each in fields(task_type.params_type)):
        return ""
    params = parse(task_type.params_type, replaced(group, values), stage)
    settings = task_type.settings(params)
    return next((name for name, value in vars(params).items() if value is settings), "")


def _validations(task_type: Any, group: dict[str, Any], stage: str, space: Space) -> Values:
    """Validations often enough for poor trials to be seen early; patience as long as it was.

    How often one validates does not change what is learnt.
    """
    kind = kind_of(task_type, group, stage, space.fixed)
    steps, every, patience = (within(kind, n) for n in ("steps", "validate_every", "patience"))
    current = replaced(group, space.fixed)
    often = max(1, lookup(current, steps) // VALIDATIONS)
    if every in space.searched or often >= lookup(current, every):
        return {}
    longer = math.ceil(lookup(current, patience) * lookup(current, every) / often)
    return {every: often, patience: longer}


def _objectives(task_type: Any, stage: str, wanted: str | None) -> tuple[Objective, ...]:
    if wanted is None:
        if task_type.score is None:
            raise UserError(f"stage {stage} has no score of its own: name one, --objectives NAME")
        return (Objective(task_type.score),)
    parts = [part.partition(":") for part in wanted.split(",")]
    chosen = tuple(Objective(name, way == "max") for name, _, way in parts)
    names = [each.name for each in chosen]
    if not all(names) or len(set(names)) < len(names) or {way for *_, way in parts} - {"", "max"}:
        raise UserError(f"--objectives {wanted}: give names with commas between, like a,b:max")
    return chosen
