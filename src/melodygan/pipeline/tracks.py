"""Per-track work, done once: a side cache keyed by everything the result depends on.

A stage that handles tracks one by one rebuilds its whole output each time DVC runs it, but takes
each track's part from this cache when the same input, parameters and code made it before. So one
new track costs one track's work, and what was done before a kill stays done.
"""

import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from tqdm import tqdm

from melodygan.pipeline.backend import Task, parallel
from melodygan.pipeline.child import Late, Lost, Spec, call
from melodygan.pipeline.closure import closure
from melodygan.pipeline.entries import drop, sound
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import digest
from melodygan.pipeline.hydrate import Restore, hydrate, write_keys
from melodygan.pipeline.packages import versions
from melodygan.pipeline.recorded import sound_md5s
from melodygan.pipeline.runtime import Runtime, cache_root
from melodygan.pipeline.stage import Stage
from melodygan.pipeline.syntax import meaning
from melodygan.pipeline.threads import side_by_side
from melodygan.pipeline.usage import shared

Work = Callable[..., None]


@dataclass(frozen=True)
class Job:
    """One track's work.

    track: its id. content: digest of the input's bytes. arguments: what `work` gets after the
    output folder; paths and the like, not part of the key. reads: outputs of other stages that it
    opens, relative to the checkout, which are looked at before.
    """

    track: str
    content: str
    arguments: tuple[Any, ...]
    reads: tuple[Path, ...] = ()


def map_tracks(
    stage: Stage,
    jobs: Sequence[Job],
    work: Work,
    params: Any,
    reject: Callable[[Path, str], None] | None = None,
    restore: tuple[Path, Restore] | None = None,
) -> dict[str, Path]:
    """Run `work(folder, *job.arguments)` for every job not in the cache; return folders by track.

    `work` must be a module-level function, write its results as files into `folder`, and depend
    on nothing but the job's content, `params` (JSON-able), the stage's declared code, and the
    packages that this imports. An exception in it is a bug and ends the stage; an unusable track is
    a result to be written.

    reject: `reject(folder, reason)` writes the result of a track that crashes its process or
    takes longer than `runtime.track_seconds`. Such a result is not kept for the next run. Without
    `reject` it ends the stage with a UserError. So do inputs that came damaged out of DVC's cache.
    restore: the stage's output and how to get a track's result back out of it; see `hydrate`.
    """
    root = cache_root() / "tracks" / stage.name
    root.mkdir(parents=True, exist_ok=True)
    stage.when_done(shared(root).close)
    code = _code_of(stage, work)
    packages = versions(file for file in code if file.endswith(".py"))
    common = digest({"params": params, "code": meaning(code), "packages": packages})
    folders = {job.track: root / digest([common, job.content]) for job in jobs}
    # by folder: tracks with one content are done once
    jobs_by_folder = {folders[job.track]: job for job in jobs}
    missing = {folder: jobs_by_folder[folder] for folder in _unusable(stage, list(jobs_by_folder))}
    if restore and 2 * len(missing) > len(jobs):  # a new machine: a few are made again sooner
        wanted = {track: folder for track, folder in folders.items() if folder in missing}
        hydrate(stage.name, wanted, *restore)
        missing = {folder: job for folder, job in missing.items() if not folder.exists()}
    indices = {path for folder in stage.guard.data for path in folder.glob("*.json*")}
    sound_md5s(indices | {path for job in missing.values() for path in job.reads})
    for folder in set(folders.values()) - missing.keys():
        os.utime(folder)  # `melodygan prune` removes the longest unused first
    runtime = Runtime.read()
    name = (work.__module__, work.__qualname__)
    spec = Spec(
        str(Path.cwd()),
        tuple(sorted(code.items())),
        tuple(packages.items()),
        name,
        runtime.track_seconds,
    )
    tasks = [
        joblib.delayed(_do)(spec, str(folder), job.track, pickle.dumps(job.arguments))
        for folder, job in missing.items()
    ]
    failed: dict[Path, Path] = {}
    with parallel(runtime, len(tasks), _killed) as run:
        for place, track, answer in _progress(stage.name, run(tasks), len(tasks), len(jobs)):
            if isinstance(answer, Lost):
                failed[Path(place)] = _failed(Path(place), track, answer, stage, reject)
            else:
                stage.guard.add(answer)
    if restore:
        write_keys(stage.name, {t: folder for t, folder in folders.items() if folder not in failed})
    return {track: failed.get(folder, folder) for track, folder in folders.items()}


def _unusable(stage: Stage, folders: list[Path]) -> list[Path]:
    """Those of the cache's places at which there is no sound entry; what is there goes."""
    checked = side_by_side(sound, [(folder,) for folder in folders])
    unusable = [folder for folder, good in zip(folders, checked, strict=True) if not good]
    damaged = [folder for folder in unusable if os.path.lexists(folder)]
    for folder in damaged:
        drop(folder)
    if damaged:
        count = f"{len(damaged)} result{'s' * (len(damaged) > 1)}"
        print(f"{stage.name}: {count} in {folders[0].parent} damaged: made again", flush=True)
    return unusable


def _code_of(stage: Stage, work: Work) -> dict[str, str]:
    """SHA-256 by file of the code that `work` can reach, and of the data files beside it.

    Less than the stage's declared folders: an edit elsewhere in them has DVC rerun the stage, but
    costs no track's work.
    """
    reached = closure(work.__module__) | closure("melodygan.pipeline.child")
    return {
        file: sha256
        for file, sha256 in stage.guard.before.items()
        if file in reached or not file.endswith(".py")
    }


def _do(spec: Spec, folder: str, track: str, arguments: bytes) -> tuple[str, str, set[str] | Lost]:
    """Runs in a thread of the stage or in a Dask worker."""
    return folder, track, call(spec, folder, arguments)


def _killed(task: Task, reason: str) -> tuple[str, str, Lost]:
    """The answer for a task of `_do` that ended with the process that supervised it."""
    _, folder, track, _ = task[1]
    return folder, track, Lost(reason)


def _failed(
    folder: Path,
    track: str,
    lost: Lost,
    stage: Stage,
    reject: Callable[[Path, str], None] | None,
) -> Path:
    setting = " (runtime.track_seconds)" if isinstance(lost, Late) else ""
    reason = f"{lost}{setting}; `dvc repro -f {stage.name}` tries again"
    if reject is None:
        raise UserError(
            f"track {track} {lost}{setting}: run `dvc repro` again, or remove the track"
        )
    print(f"{stage.name}: track {track} {reason}", flush=True)
    place = folder.with_name(f"{folder.name}.failed")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    reject(place, reason)
    return place


Answer = tuple[str, str, set[str] | Lost]


def _progress(name: str, results: Iterator[Answer], todo: int, total: int) -> Iterator[Answer]:
    if not sys.stderr.isatty():
        print(f"{name}: {todo} of {total} tracks to do, {total - todo} from the cache", flush=True)
    return tqdm(results, desc=name, total=todo, unit="track", disable=not sys.stderr.isatty())
