"""`melodygan tune`: a search from tune.yaml to params.yaml, which can be killed and run again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from melodygan.commands.winner import adopt, experiment, experiment_command
from melodygan.tuning.ledger import Ledger
from melodygan.tuning.outcome import (
    Sure,
    baseline_of,
    best_of,
    changes,
    front,
    importances,
    reruns,
    sureness,
)
from melodygan.tuning.page import Found, write_page
from melodygan.tuning.pool import Pool
from melodygan.tuning.sampling import Listed, pruner
from melodygan.tuning.session import Session
from melodygan.tuning.setting import Setting, prepare
from melodygan.tuning.space import FILE, Values
from melodygan.tuning.storage import default_storage, open_storage, open_study

Held = Mapping[str, FrozenTrial]


def tune(
    stage: str,
    trials: int | None,
    minutes: float | None,
    workers: int,
    url: str | None,
    objectives: str | None,
    as_experiment: bool,
) -> None:
    """Search, run the best again with more seeds, say what came out, and keep it if it holds.

    trials: in all, by whoever takes part; or minutes: of this command, before the runs with more
    seeds. url: of the storage, None for SQLite in the side cache. Writes metrics/tune/STAGE.html.
    Raises UserError for what cannot be searched.
    """
    setting = prepare(stage, objectives)
    storage = open_storage(url or default_storage())
    directions = [each.direction for each in setting.objectives]
    study = open_study(storage, setting.name, directions)
    study.pruner = pruner(setting.validate_every)
    if setting.space.default:
        print(f"{FILE} has no group {stage}: searching {', '.join(setting.space.searched)}")
    print(f"{stage}: study {setting.name}", flush=True)
    session = Session(setting, Pool(stage, setting.base, workers))
    seconds = None if minutes is None else 60 * minutes
    try:
        held = session.work(Ledger(storage, study), setting.search(trials), trials, seconds)
        found = _conclude(session, storage, study, held)
    finally:
        session.pool.close()
    page = Path("metrics/tune", f"{stage}.html")
    write_page(found, page)
    print("\n".join(found.said))
    print(f"{page} shows the search")
    if found.sure and found.sure.agreed:
        _keep(setting, _winner(found), as_experiment)


def _conclude(session: Session, storage: Any, study: optuna.Study, held: Held) -> Found:
    setting = session.setting
    if len(setting.objectives) > 1:
        best = front(study)
        keys = frozenset(trial.user_attrs["key"] for trial in best)
        said = [_counts(setting, held), *(_of_front(setting, trial) for trial in best)]
        return Found(setting, held, keys, importances(study), None, said)
    winner, baseline = best_of(held, setting.objectives[0]), baseline_of(held)
    sure = None
    if winner and baseline and winner.number != baseline.number:
        jobs = reruns(setting, [baseline, winner])
        again = open_study(storage, f"{setting.name}-seeds", [setting.objectives[0].direction])
        plan = Listed(jobs, (setting.objectives[0].name,))
        runs = session.work(Ledger(storage, again), plan, len(jobs), None, ", more seeds")
        sure = sureness(baseline, winner, runs, setting.objectives[0].higher)
    important = importances(study)
    keys = frozenset([winner.user_attrs["key"]] if winner else [])
    said = [_counts(setting, held), *_said(setting, winner, baseline, sure, important)]
    return Found(setting, held, keys, important, sure, said)


def _winner(found: Found) -> Values:
    (key,) = found.marked
    values: Values = found.held[key].user_attrs["values"]
    return values


def _keep(setting: Setting, values: Values, as_experiment: bool) -> None:
    if as_experiment:
        experiment(setting.stage, values, setting.name)
        return
    for line in adopt(setting.stage, values):
        print(f"params.yaml: {line}")
    print(f"next: dvc repro, whose {setting.stage} is scored on test tracks")


def _counts(setting: Setting, held: Held) -> str:
    states = [trial.state for trial in held.values()]
    numbers = {
        word: states.count(state)
        for word, state in (
            ("complete", TrialState.COMPLETE), ("ended early", TrialState.PRUNED),
            ("failed", TrialState.FAIL),
        )
    }  # fmt: skip
    words = ", ".join(f"{number} {word}" for word, number in numbers.items() if number)
    return f"{setting.stage}: {sum(numbers.values())} trials ({words}), study {setting.name}"


def _said(
    setting: Setting,
    winner: FrozenTrial | None,
    baseline: FrozenTrial | None,
    sure: Sure | None,
    important: Mapping[str, float],
) -> list[str]:
    name = setting.objectives[0].name
    if winner is None:
        return ["no trial is complete: see the reasons, or give it more trials"]
    lines = []
    if baseline is None:
        lines.append("the values of params.yaml have no score: nothing is compared with them")
    else:
        lines.append(f"baseline: {name} {_scores(sure.baseline if sure else baseline.values)}")
    best = f"best: {name} {_scores(sure.best if sure else winner.values)}"
    if sure:
        best += f", better with {sure.wins} of {len(sure.best)} seeds"
    lines.append(best)
    if baseline is not None and winner.number == baseline.number:
        lines.append("nothing was better than params.yaml, which stays as it is")
        return lines
    old: Values = baseline.user_attrs["values"] if baseline else {}
    new: Values = winner.user_attrs["values"]
    differing = changes(old, new).items()
    lines.append("  " + ", ".join(f"{key} {a} -> {b}" for key, (a, b) in differing))
    if important:
        lines.append("mattered: " + ", ".join(f"{k} {v:.0%}" for k, v in important.items()))
    if sure and not sure.agreed:
        command = " ".join(experiment_command(setting.stage, new, setting.name))
        lines.append(f"not sure enough to keep; to have it nevertheless: {command}")
    return lines


def _scores(values: Any) -> str:
    return ", ".join("failed" if value is None else f"{value:.4g}" for value in values)


def _of_front(setting: Setting, trial: FrozenTrial) -> str:
    pairs = zip(setting.objectives, trial.values, strict=True)
    scores = ", ".join(f"{objective.name} {value:.4g}" for objective, value in pairs)
    command = experiment_command(setting.stage, trial.user_attrs["values"], setting.name)
    return f"  {scores}: {' '.join(command)}"
