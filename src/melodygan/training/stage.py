"""The whole of a training stage, the same for every model: train, write, score, judge."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from melodygan.pipeline.files import write_json
from melodygan.pipeline.params import load
from melodygan.pipeline.stage import Stage
from melodygan.training.data import Data
from melodygan.training.loop import train
from melodygan.training.task import Task
from melodygan.training.times import keep
from melodygan.training.verdict import verdict


def train_stage(stage: Stage, task_type: type[Task]) -> None:
    """Train the stage's task; write models/<stage> and metrics/<stage>.json, print the verdict.

    The task is made from the stage's group of params.yaml and from what dvc.yaml lets it read.
    metrics/<stage>/run.json keeps what the page of results says of the run: `verdict`, the
    `settings`, and how it ended (Outcome; nothing where nothing is trained). How long it took
    is no output (`training/times.py`).
    Raises UserError for bad parameters or inputs.
    """
    params: Any = load(task_type.params_type, stage.name)
    data = Data(stage.name)
    if settings := task_type.settings(params):
        task = train(stage, settings, data.seed, lambda: task_type.make(params, data))
    else:
        task = task_type.make(params, data)
        Path("metrics", stage.name).mkdir(parents=True, exist_ok=True)  # DVC expects it
    task.trained().save(Path("models") / stage.name)
    scores = task.test()
    write_json(Path(f"metrics/{stage.name}.json"), scores)
    said = _verdict(stage.name, task, scores, _group(stage.name, params, settings))
    if said:
        print(said)
    ended = {} if task.idle else asdict(task.outcome)
    record = {"verdict": said, "settings": asdict(params), "outcome": ended}
    write_json(Path("metrics", stage.name, "run.json"), record)
    if not task.idle:
        stage.when_done(lambda: keep(stage.name, task.spent))


def _verdict(stage: str, task: Task, scores: dict[str, Any], group: str) -> str:
    if task.idle:
        return f"{stage}: {task.idle}"
    besides = task.besides(scores)
    for other in besides:
        print(f"{stage}: {other.words()}")
    claim = task.claim(scores)
    return verdict(stage, task.outcome, claim, besides, group) if claim else ""


def _group(stage: str, params: Any, settings: Any) -> str:
    """Where in params.yaml the settings of the loop stand: in the stage's group, or inside it."""
    inner = (name for name, value in vars(params).items() if value is settings)
    return f"{stage}.{next(inner)}" if settings is not params and settings else stage
