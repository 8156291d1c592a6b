"""`melodygan prune`: bounds for what lies outside DVC's own cache.

Nothing that is removed here can change a result: the next run makes it again.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from melodygan.pipeline.runtime import cache_root, repository_root
from melodygan.pipeline.usage import FINISHED, exclusive, hold

DAY = 86400  # s; younger temporary folders may belong to a process that still runs


def prune(max_bytes: int, max_seconds: float) -> int:
    """Clear the side caches and leaked experiment folders; return the number of bytes freed.

    max_bytes: what the cache of per-track results may keep; the longest unused go first.
    max_seconds: results and checkpoints unused for longer go in any case, and those of finished
    runs always do. What a running stage may need stays. Prints a line for each kind of thing.
    """
    now = time.time()
    freed = 0
    with ExitStack() as stack:
        idle = [folder for folder in _stages() if stack.enter_context(exclusive(folder))]
        for kind, folders in (
            ("abandoned temporary folders", _abandoned(idle, now)),
            ("per-track results", _unused_tracks(idle, max_bytes, now - max_seconds)),
            ("leaked experiment folders", _leaked_experiments(now)),
        ):
            removed = [_remove(folder) for folder in folders]
            print(f"{kind}: {len(removed)} removed, {sum(removed):,} bytes")
            freed += sum(removed)
    removed = list(_remove_checkpoints(now - max_seconds))
    print(f"checkpoints: {len(removed)} removed, {sum(removed):,} bytes")
    return freed + sum(removed)


def _stages() -> list[Path]:
    """Where the stages have their per-track results."""
    return [folder for folder in (cache_root() / "tracks").glob("*") if folder.is_dir()]


def _abandoned(idle: list[Path], now: float) -> list[Path]:
    """Temporary folders of per-track work whose process was killed."""
    folders = [folder for stage in idle for folder in stage.glob("*.tmp/")]
    return [folder for folder in folders if folder.stat().st_mtime < now - DAY]


def _unused_tracks(idle: list[Path], max_bytes: int, before: float) -> list[Path]:
    """Result folders last used before `before`, and the longest unused of those over the bound."""
    folders = [f for stage in _stages() for f in stage.glob("*/") if f.suffix != ".tmp"]
    used = sorted(((folder.stat().st_mtime, folder) for folder in folders), reverse=True)
    kept, chosen = 0, []
    for moment, folder in used:  # the newest first
        kept += _size(folder)
        if (kept > max_bytes or moment < before) and folder.parent in idle:
            chosen.append(folder)
    return chosen


def _remove_checkpoints(before: float) -> Iterator[int]:
    """Remove checkpoints of finished runs, and of runs last at work before `before`; yield sizes.

    Those that a process trains into stay.
    """
    for folder in (cache_root() / "checkpoints").glob("*/*/"):
        if (_last_use(folder) < before or (folder / FINISHED).exists()) and (lock := hold(folder)):
            with lock:
                yield _remove(folder)


def _last_use(folder: Path) -> float:
    """When something in `folder` was last written, beside a process that replaces its files."""
    last = folder.stat().st_mtime
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            last = max(last, path.stat().st_mtime)
    return last


def _leaked_experiments(now: float) -> list[Path]:
    """Checkouts that killed `dvc exp run --temp` and `--queue` runs have left behind.

    Dead is one that is a day old and in which no process works. DVC makes them by mkdtemp, hence
    their names.
    """
    root = repository_root() / ".dvc" / "tmp" / "exps"
    busy = [Path(p.info["cwd"]) for p in psutil.process_iter(["cwd"]) if p.info["cwd"]]
    return [
        folder
        for folder in (*root.glob("tmp*"), *root.glob("standalone/tmp*"))
        if folder.is_dir()
        and folder.stat().st_mtime < now - DAY
        and not any(place.is_relative_to(folder) for place in busy)
    ]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _remove(folder: Path) -> int:
    """Remove `folder` and return its size; renamed first, so that it is never half there."""
    size = _size(folder)
    doomed = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    return size
