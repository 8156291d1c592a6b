"""Per-track work, done once: a side cache keyed by everything the result depends on.

A stage that handles tracks one by one rebuilds its whole output each time DVC runs it, but takes
each track's part from this cache when the same input, parameters and code made it before. So one
new track costs one track's work, and what was done before a kill stays done.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from tqdm import tqdm

from melodygan.pipeline.files import digest
from melodygan.pipeline.guard import loaded_files
from melodygan.pipeline.runtime import Runtime, cache_root
from melodygan.pipeline.stage import Stage

Work = Callable[..., None]


@dataclass(frozen=True)
class Job:
    """One track's work.

    track: its id. content: digest of the input's bytes. arguments: what `work` gets after the
    output folder; paths and the like, not part of the key.
    """

    track: str
    content: str
    arguments: tuple[Any, ...]


def map_tracks(stage: Stage, jobs: Sequence[Job], work: Work, params: Any) -> dict[str, Path]:
    """Run `work(folder, *job.arguments)` for every job not in the cache; return folders by track.

    `work` must be a module-level function, write its results as files into `folder`, and depend
    on nothing but the job's content, `params` (JSON-able) and the stage's declared code. An
    exception in it is a bug and ends the stage; an unusable track is a result to be written.
    """
    root = cache_root() / "tracks" / stage.name
    root.mkdir(parents=True, exist_ok=True)
    common = digest({"params": params, "code": stage.guard.code})
    folders = {job.track: root / digest([common, job.content]) for job in jobs}
    # by folder: tracks with one content are done once
    missing = {folders[job.track]: job for job in jobs if not folders[job.track].exists()}
    for folder in set(folders.values()) - missing.keys():
        os.utime(folder)  # `melodygan prune` removes the longest unused first
    for files in _progress(stage.name, _run(missing, work), len(missing), len(jobs)):
        stage.guard.add(files)
    return folders


def _run(jobs: Mapping[Path, Job], work: Work) -> Iterator[set[str]]:
    workers = min(Runtime.read().worker_count, len(jobs))
    if workers <= 1:
        return (_once(folder, work, job.arguments) for folder, job in jobs.items())
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
        return parallel(joblib.delayed(_once)(f, work, job.arguments) for f, job in jobs.items())


def _once(folder: Path, work: Work, arguments: tuple[Any, ...]) -> set[str]:
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        work(temporary, *arguments)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # else an experiment that runs beside this one was faster
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return loaded_files()


def _progress(name: str, results: Iterator[set[str]], todo: int, total: int) -> Iterator[set[str]]:
    if not sys.stderr.isatty():
        print(f"{name}: {todo} of {total} tracks to do, {total - todo} from the cache", flush=True)
    return tqdm(results, desc=name, total=todo, unit="track", disable=not sys.stderr.isatty())
