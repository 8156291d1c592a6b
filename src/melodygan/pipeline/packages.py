"""Versions of other people's packages that a result can depend on.

They belong into the keys of the side cache and into the fingerprints of checkpoints: an upgraded
library may give other bytes for the same code and parameters, and DVC knows nothing of it.
"""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from melodygan.pipeline.closure import closure
from melodygan.pipeline.syntax import imports

# What starts, supervises, times and configures the work, or helps other packages to: no result
# is computed with it, so its upgrade must not throw away a week of training. Our own code counts
# by what it says.
_SILENT = {
    "accelerate", "cffi", "distributed", "dvc", "dvclive", "filelock", "fsspec", "jinja2",
    "joblib", "melodygan", "networkx", "packaging", "psutil", "pyyaml", "requests", "ruamel",
    "ruamel_yaml", "setuptools", "six", "sympy", "tqdm", "typing_extensions", "yaml", "yt_dlp",
}  # fmt: skip


def versions(files: Iterable[str]) -> dict[str, str]:
    """Version by package of what the Python `files` import, and of what those packages require.

    Requirements count to one level, which has the libraries that come in packages of their own
    (CUDA's for torch, librosa for audio-separator). What is not installed is left out.
    """
    imported = {name.partition(".")[0] for file in files for name in imports(Path(file))}
    direct = {_normal(name) for name in imported - set(sys.stdlib_module_names)} - _SILENT
    wanted = direct | {need for name in direct for need in _requirements(name)}
    return {name: version for name, version in installed().items() if name in wanted - _SILENT}


def versions_of_stage(scripts: Iterable[str]) -> dict[str, str]:
    """`versions` for the files of ./src that stages' `scripts` import, directly or not."""
    names = [name for script in scripts for name in imports(Path(script))]
    return versions(closure(*names) | set(scripts))


def changed(before: dict[str, str]) -> list[str]:
    """What to tell of packages that have another version than they had, or none any more."""
    now = installed()
    return [
        f"{name} {version} (now {now.get(name, 'gone')})"
        for name, version in sorted(before.items())
        if now.get(name) != version
    ]


def installed() -> dict[str, str]:
    """Version by package, in normalised names, of all that Python could import at this moment.

    Read from the folders' names alone: reading their files takes a hundred times as long.
    """
    found: dict[str, str] = {}
    for place in sys.path:
        try:
            names = os.listdir(place or ".")  # noqa: PTH208 - as fast as it can be
        except OSError:
            continue  # a zip archive, or no such folder
        for entry in names:
            stem, dot, kind = entry.rpartition(".")
            if dot and kind in ("dist-info", "egg-info"):
                name, _, version = stem.partition("-")
                found.setdefault(_normal(name), version)  # the first on the path is imported
    return found


def _requirements(name: str) -> set[str]:
    """Packages that `name` needs without any of its extras."""
    from importlib.metadata import PackageNotFoundError, requires  # a stage's start waits for it

    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return set()  # not installed, or ours
    needs = [re.match(r"[\w.-]+", line) for line in lines if not re.search(r"extra\s*==", line)]
    return {_normal(need[0]) for need in needs if need}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()
