"""metrics/report.html: what the models made, to hear and to see, with every score and verdict."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

from melodygan.evaluation.generated import Groups, Judge
from melodygan.evaluation.sections import (
    KINDS,
    Model,
    how_to_read,
    model_section,
    summary,
    trust,
    versions,
)
from melodygan.evaluation.stems import SAMPLE, SCORES, stems_section
from melodygan.evaluation.times import times_section
from melodygan.page.document import write_document
from melodygan.pipeline.files import as_written, read_json, text
from melodygan.pipeline.guard import stage_table


def write_report(
    path: Path,
    groups: Groups,
    heard: Mapping[str, Mapping[str, Any]],
    judge: Judge,
    missing: str,
    stage: str = "evaluate",
) -> None:
    """Write the page on `groups` (of `read_index`), which `judge` gave the scores `heard`.

    Every model whose scores dvc.yaml declares as a dependency of `stage`, or that made a clip,
    has its section, those that invent something first; then the stems, if they are a dependency
    too. missing: why a score is left out, or "".
    """
    deps = [Path(dep) for dep in stage_table(stage)["deps"]]
    models = _models(groups, heard, deps)
    if {SAMPLE, SCORES} <= set(deps):
        stems = list(stems_section(SAMPLE, read_json(SCORES), judge.audio))
    else:
        stems = []
    tracks = len(judge.test)
    content = [
        *summary(models, tracks),
        f"<p class='soft'>{missing}</p>" if missing else "",
        *how_to_read(),
        *(piece for model in models for piece in model_section(model, judge)),
        *stems,
        *trust(models, tracks),
        *times_section({}),
        *versions(_versions()),
    ]
    write_document(
        path,
        "Results",
        "What this run's models made, to hear and to see, beside the real thing.",
        content,
        "Made from <code>data/generated</code> and the scores of all stages by the stage "
        "<code>evaluate</code>; <code>dvc repro</code> brings it up to date. What each score "
        "hears, and what it is deaf to: <code>docs/scores.md</code>.",
    )


def _models(
    groups: Groups, heard: Mapping[str, Mapping[str, Any]], deps: Sequence[Path]
) -> list[Model]:
    tested = {dep.stem: dep for dep in deps if dep.match("metrics/*.json") and dep != SCORES}
    names = [*tested, *dict.fromkeys(model for model, _ in groups if model not in tested)]
    models = []
    for model in names:
        run = Path("metrics", model, "run.json")
        models.append(
            Model(
                model,
                stage_table(model).get("desc", "") if model in tested else "",
                read_run(run) if run in deps else {},
                read_json(tested[model]) if model in tested else {},
                {kind: made for (of, kind), made in groups.items() if of == model},
                heard.get(model, {}),
            )
        )
    kinds = list(KINDS)
    return sorted(models, key=lambda m: min([kinds.index(k) for k in m.made] or [len(kinds)]))


def read_run(path: Path) -> Mapping[str, Any]:
    """What a training stage says of its run."""
    run = read_json(path)
    with as_written(path):
        text(run["verdict"])
        {**run["settings"], **run["outcome"]}  # two tables
    return run


def _versions() -> dict[str, str]:
    """Of Python and of what the project asks for."""
    pins = [line.partition("==")[0] for line in requires("melodygan") or [] if ";" not in line]
    return {"python": platform.python_version()} | {pin: version(pin) for pin in sorted(pins)}
