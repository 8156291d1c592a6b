"""Which task a stage trains: the one that its script hands to `train_stage`."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.guard import stage_table

SCRIPTS = Path("stages")


def training_stages() -> list[str]:
    """All stages whose script calls `train_stage`, by name."""
    return sorted(path.stem for path in SCRIPTS.glob("*.py") if _task_place(path))


def task_of(stage: str) -> Any:
    """The Task class of a training stage; the script is read, not run.

    Raises UserError for a stage that dvc.yaml does not have, or that trains nothing.
    """
    stage_table(stage)
    place = _task_place(SCRIPTS / f"{stage}.py")
    if place is None:
        known = ", ".join(training_stages())
        raise UserError(f"stage {stage} trains nothing that could be searched (these do: {known})")
    module, name = place
    return getattr(import_module(module), name)


def _task_place(script: Path) -> tuple[str, str] | None:
    """Module and name of the class in `train_stage(stage, CLASS)`; None where there is no such."""
    if not script.is_file():
        return None
    nodes = list(ast.walk(ast.parse(script.read_bytes())))
    imported = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "train_stage":
            return imported.get(ast.unparse(node.args[1]))
    return None
