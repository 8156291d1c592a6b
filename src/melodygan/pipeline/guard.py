"""The dependency guard: what a stage declares to DVC is what it ran, or the stage fails.

DVC reruns a stage when a declared dependency changes and hashes those dependencies after the
command has ended. So an import that dvc.yaml does not name makes stale results look fresh, and
code, parameters or input files edited during a run are recorded as those that ran. All of these
end here with an error.
"""

import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest, sha256_file
from melodygan.pipeline.packages import changed, installed
from melodygan.pipeline.params import read_params
from melodygan.pipeline.syntax import meaning

CODE_FOLDERS = ("src", "stages")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built


def stage_table(stage: str, dvc_yaml: Path = Path("dvc.yaml")) -> dict[str, Any]:
    """The entry of `stage` in dvc.yaml."""
    stages = _stages(dvc_yaml)
    if stage not in stages:
        raise UserError(f"{dvc_yaml}: no stage `{stage}` (known: {', '.join(stages)})")
    return stages[stage]


def _stages(dvc_yaml: Path) -> dict[str, Any]:
    return yaml.load(dvc_yaml.read_bytes(), _LOADER)["stages"]


def code_dependencies(stage: str) -> list[Path]:
    """The declared dependencies of `stage` that are code: files or folders in src/ and stages/."""
    paths = [Path(dep) for dep in stage_table(stage).get("deps", [])]
    return [path for path in paths if path.parts[0] in CODE_FOLDERS]


def out_paths(stage: str) -> list[str]:
    """All that `stage` writes: its outputs, metrics and plots."""
    return _outs(stage_table(stage))


def _outs(table: dict[str, Any]) -> list[str]:
    entries = [e for kind in ("outs", "metrics", "plots") for e in table.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def require_inside() -> None:
    """Raise UserError if a linked folder takes an output of any stage out of the repository.

    DVC would refuse it once all work is done. Files that are links are DVC's own, into its cache.
    """
    root = Path.cwd().resolve()
    outs = [Path(out) for table in _stages(Path("dvc.yaml")).values() for out in _outs(table)]
    for place in sorted({place for out in outs for place in (out, *out.parents)}):
        if place.is_symlink() and place.is_dir() and not place.resolve().is_relative_to(root):
            raise UserError(
                f"{place} is a link to {place.resolve()}, where DVC records nothing: make it a "
                "folder (for want of space: `dvc cache dir`, or move the whole repository)"
            )


def input_values(stage: str) -> dict[str, Any]:
    """What else a user may edit while `stage` runs: its parameters and single input files."""
    table = stage_table(stage)
    keys = table.get("params", [])
    params = read_params() if keys else {}
    files = [Path(dep) for dep in table.get("deps", [])]
    return {f"{key} in params.yaml": _value(params, key) for key in keys} | {
        file.as_posix(): sha256_file(file)
        for file in files
        if file.parts[0] not in CODE_FOLDERS and file.is_file()
    }


def _value(params: Any, key: str) -> Any:
    """The value at a path like `download.on_drift`; None where there is none."""
    for name in key.split("."):
        params = params.get(name) if isinstance(params, dict) else None
    return params


def hash_files(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of every file below `paths`, by its path relative to the working directory."""
    return {file.as_posix(): sha256_file(file) for path in paths for file in files_below(path)}


def files_below(path: Path) -> list[Path]:
    """The file `path`, or all files below it, without Python's bytecode."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts]


def loaded_files() -> set[str]:
    """Repository files of the modules this process has imported, relative to the working directory.

    Empty files (packages that are only folders) cannot change a result and are left out.
    """
    root = Path.cwd()
    loaded = set()
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType):
            continue
        try:
            # past the module's own __getattribute__: a lazy module would import its content
            name = object.__getattribute__(module, "__dict__").get("__file__")
        except AttributeError:
            continue  # one that a C extension made up
        if not name:
            continue
        if file := _repository_file(name, root):
            loaded.add(file)
    return loaded


@cache  # a worker process asks for a thousand modules after each track
def _repository_file(name: str, root: Path) -> str | None:
    """`name` relative to `root` where it is code of the repository, and not an empty file."""
    path = Path(name).resolve()
    if not path.is_relative_to(root) or path.relative_to(root).parts[0] not in CODE_FOLDERS:
        return None
    if path.exists() and path.stat().st_size == 0:
        return None
    return path.relative_to(root).as_posix()


class Guard:
    """Notes the declared code and inputs when made, and holds what ran against them in `check`."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.paths = code_dependencies(stage)
        self.before = hash_files(self.paths)
        self.inputs = input_values(stage)
        deps = map(Path, stage_table(stage).get("deps", []))
        self.data = [path for path in deps if path.parts[0] not in CODE_FOLDERS]
        self._marks = _marks(self.data)
        self._elsewhere: set[str] = set()
        self._installed = installed()

    @property
    def code(self) -> str:
        """One digest of what all declared code says, for fingerprints."""
        return digest(meaning(self.before))

    def add(self, files: Iterable[str]) -> None:
        """Count files that worker processes imported as imported by this stage."""
        self._elsewhere.update(files)

    def check(self) -> None:
        """Raise UserError for an undeclared import, or if code or inputs changed meanwhile."""
        loaded = loaded_files() | self._elsewhere
        undeclared = sorted(loaded - self.before.keys())
        if undeclared:
            raise UserError(
                f"stage {self.stage} imported {', '.join(undeclared)} outside its deps: "
                f"add the folder to stages.{self.stage}.deps in dvc.yaml"
            )
        after, inputs = hash_files(self.paths), input_values(self.stage)
        # a module that was not imported cannot have mattered; a data file beside it can have
        used = loaded | {file for file in self.before if not file.endswith(".py")}
        edited = sorted(
            [file for file in used if after.get(file) != self.before[file]]
            + [name for name in self.inputs if inputs.get(name) != self.inputs[name]]
            + [path.as_posix() for path in self._replaced_data()]
        )
        if edited:
            raise UserError(
                f"stage {self.stage}: {', '.join(edited)} changed while the stage ran, so its "
                "results belong to neither version: run `dvc repro` again"
            )

        self._tell_of_packages()

    def _tell_of_packages(self) -> None:
        """Say which loaded packages are not those that are installed by now.

        No error: what was loaded did the work, and a week of training is not thrown away for it.
        """
        loaded = {name.partition(".")[0] for name in sys.modules}
        used = {name: version for name, version in self._installed.items() if name in loaded}
        if other := changed(used):
            print(f"{self.stage}: the results are of {', '.join(other)}: changed while it ran")

    def _replaced_data(self) -> list[Path]:
        """Folders of data in which a file is not the one that was there at the start.

        Told by its inode, size and time, since reading all again would take long.
        """
        now = _marks(self.data)
        return [path for path in self.data if now[path] != self._marks[path]]


def _marks(folders: Iterable[Path]) -> dict[Path, dict[str, tuple[int, int, int]]]:
    """What tells whether a file below each folder was replaced or written to."""
    found: dict[Path, dict[str, tuple[int, int, int]]] = {}
    for folder in folders:
        found[folder] = marks = {}
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)  # noqa: PTH118 - ten thousand of them
                if (stat := _stat(path)) is not None:
                    marks[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
