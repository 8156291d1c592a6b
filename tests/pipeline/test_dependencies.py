"""dvc.yaml against the code: each stage declares the folders it imports, no more and no fewer."""

import ast
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from melodygan.models.vocoder.hears import NEEDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "melodygan"
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
LIGHT = {"numpy", "torch", "safetensors", "tqdm", "ruamel", "yaml"}

Nodes = Callable[[ast.Module], Iterator[ast.AST]]


def everywhere(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes, those inside functions too."""
    return ast.walk(tree)


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


@cache
def imports(file: Path, nodes: Nodes) -> frozenset[str]:
    """Dotted names that a file imports; `from a import b` gives `a` and `a.b`."""
    names = set()
    for node in nodes(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def own_files(name: str) -> list[Path]:
    """The files that importing the dotted name runs: the module and the packages it lies in."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return []
    files = []
    for end in range(1, len(parts) + 1):
        base = PACKAGE.parent.joinpath(*parts[:end])
        files += [base / "__init__.py", base.with_suffix(".py")]
    return [file for file in files if file.is_file()]


def reached(starts: list[Path], nodes: Nodes) -> set[Path]:
    """All repository files that the start files import, directly or not, and themselves."""
    waiting, seen = list(starts), set(starts)
    while waiting:
        for name in imports(waiting.pop(), nodes):
            new = set(own_files(name)) - seen
            seen |= new
            waiting += new
    return seen


def makers(stage: str, files: set[Path]) -> list[Path]:
    """What `load_maker` imports by name: the packages of the models that the stage declares."""
    if PACKAGE / "generation/makers.py" not in files:
        return []
    names = [dep.split("/")[1] for dep in STAGES[stage]["deps"] if dep.startswith("models/")]
    places = [PACKAGE / "models" / name for name in names]
    return [next(p for p in (f / "model.py", f / "__init__.py") if p.is_file()) for f in places]


def test_the_walk_finds_imports_inside_functions_and_of_imports() -> None:
    files = reached([ROOT / "stages" / "vqvae.py"], everywhere)
    assert {PACKAGE / "training/loop.py", PACKAGE / "pipeline/stage.py"} <= files


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_exactly_the_code_it_imports(stage: str) -> None:
    script = ROOT / "stages" / f"{stage}.py"
    starts = [script, *makers(stage, reached([script], everywhere))]
    deps = {ROOT / dep for dep in STAGES[stage]["deps"] if dep.startswith(("src/", "stages/"))}
    files = {file for file in reached(starts, everywhere) if file.stat().st_size}
    undeclared = {
        str(file.relative_to(ROOT))
        for file in files
        if not any(file.is_relative_to(dep) for dep in deps)
    }
    unused = {
        str(dep.relative_to(ROOT))
        for dep in deps
        if not any(file.is_relative_to(dep) for file in files)
    }
    assert (undeclared, unused) == (set(), set()), "undeclared, unused"


@pytest.mark.parametrize("hears", NEEDS)
def test_what_the_vocoder_hears_needs_the_lines_that_it_asks_for(hears: str) -> None:
    starts = [ROOT / "stages/vocoder.py", PACKAGE / "models" / hears / "model.py"]
    files = {file for file in reached(starts, everywhere) if file.stat().st_size}
    known = [ROOT / dep for dep in STAGES["vocoder"]["deps"]]
    more = {file for file in files if not any(file.is_relative_to(dep) for dep in known)}
    model, *code = NEEDS[hears]
    assert model == f"models/{hears}"
    found = {dep: {file for file in more if file.is_relative_to(ROOT / dep)} for dep in code}
    assert set().union(*found.values()) == more and all(found.values())


@pytest.mark.parametrize("stage", STAGES)
def test_lists_are_sorted_and_the_command_is_the_stages_script(stage: str) -> None:
    entry = STAGES[stage]
    assert entry["cmd"] == f"python stages/{stage}.py"
    assert entry["deps"] == sorted(set(entry["deps"]))
    assert entry["params"] == sorted(set(entry["params"]))


def test_no_stage_depends_on_the_settings_of_the_machine() -> None:
    assert not [stage for stage, entry in STAGES.items() if "runtime" in entry["params"]]


def test_models_and_training_import_nothing_heavy() -> None:
    """They must run on a GPU machine that has no audio libraries."""
    starts = [file for name in ("models", "training") for file in (PACKAGE / name).rglob("*.py")]
    heavy = {}
    for file in sorted(reached(starts, at_import)):
        names = {name.split(".")[0] for name in imports(file, at_import)}
        extra = names - LIGHT - sys.stdlib_module_names - {PACKAGE.name}
        if extra:
            heavy[str(file.relative_to(ROOT))] = extra
    assert heavy == {}
