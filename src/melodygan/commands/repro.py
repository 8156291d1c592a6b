"""`melodygan repro`: `dvc repro` with stages that do not need each other side by side.

DVC itself works off one stage after the other, and two plain `dvc repro` block each other. But
several `dvc --wait-for-lock repro --single-item STAGE` share one workspace safely, as long as
nobody starts a stage before the ones it depends on are done; that order is kept here.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from melodygan.dvc_state import mend
from melodygan.pipeline.errors import UserError

Graph = dict[str, set[str]]  # stage: the stages whose outputs it reads


def repro(stages: Sequence[str], jobs: int) -> None:
    """Bring `stages` (none: all) and all before them up to date, `jobs` stages at a time.

    The number of torch threads stays that of params.yaml, whatever `jobs` is: results may depend
    on it. Raises UserError naming the first stage that failed; stages running by then are
    finished first, no further ones are started.
    """
    graph = ancestors(read_graph(Path("dvc.yaml")), stages)
    mend()
    done = _up_to_date(graph)
    print(f"{len(done)} of {len(graph)} stages are up to date", flush=True)
    running: dict[Future[int], str] = {}
    failed: list[str] = []
    workers = _Workers(jobs)
    try:
        while len(done) < len(graph) and (running or not failed):
            if not failed:
                for stage in _ready(graph, done, running.values())[: jobs - len(running)]:
                    running[workers.start(stage)] = stage
                if not running:
                    raise UserError("dvc.yaml: stages depend on each other in a circle")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                stage = running.pop(future)
                if future.result() == 0:
                    done.add(stage)
                else:
                    failed.append(stage)
    finally:
        workers.close()
    if failed:
        left = len(graph) - len(done) - len(failed)
        raise UserError(
            f"stage {' and '.join(failed)} failed, {left} not started: see the lines that begin "
            f"with `{failed[0]} |`, then run the same command again"
        )


def read_graph(dvc_yaml: Path) -> Graph:
    """Each stage of a dvc.yaml file and the stages it depends on, in the file's order.

    Raises UserError for a stage with `foreach`, `matrix` or `wdir`, which only DVC understands.
    """
    table = yaml.safe_load(dvc_yaml.read_text("utf-8"))["stages"]
    for name, stage in table.items():
        if "cmd" not in stage or "wdir" in stage:
            raise UserError(
                f"{dvc_yaml}: stage {name} has foreach, matrix or wdir: use `dvc repro`"
            )
    made = {
        name: [path for kind in ("outs", "metrics", "plots") for path in _paths(stage.get(kind))]
        for name, stage in table.items()
    }
    return {
        name: {
            other
            for other in table
            if other != name
            and any(_overlap(dep, out) for dep in _paths(stage.get("deps")) for out in made[other])
        }
        for name, stage in table.items()
    }


def ancestors(graph: Graph, stages: Sequence[str]) -> Graph:
    """The part of `graph` that `stages` need, themselves included; all of it for no stages."""
    needed: set[str] = set()
    waiting = list(stages or graph)
    while waiting:
        stage = waiting.pop()
        if stage not in graph:
            close = get_close_matches(stage, list(graph), n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(graph)}"
            raise UserError(f"dvc.yaml has no stage {stage}: {hint}")
        if stage not in needed:
            needed.add(stage)
            waiting += graph[stage]
    return {stage: before for stage, before in graph.items() if stage in needed}


def _up_to_date(graph: Graph) -> set[str]:
    """Stages that need no look because nothing changed in them or before them.

    One question for all: a `dvc` process per unchanged stage would cost a second each.
    """
    command = _dvc("status", "--json", *graph)
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if told.returncode:
        raise UserError("`dvc status` failed, see above: mend what it says")
    dirty = graph.keys() & json.loads(told.stdout)
    while more := {stage for stage, before in graph.items() if before & dirty} - dirty:
        dirty |= more
    return graph.keys() - dirty


def _dvc(*arguments: str) -> list[str]:
    """A `dvc` that is killed when this process dies, and its stage with it."""
    child = [sys.executable, "-m", "melodygan.commands.dvc_child", str(os.getpid())]
    return [*child, "--wait-for-lock", *arguments]


def _ready(graph: Graph, done: set[str], running: Iterable[str]) -> list[str]:
    begun = done | set(running)
    return [stage for stage, before in graph.items() if stage not in begun and before <= done]


def _paths(entries: Any) -> list[PurePosixPath]:
    """Paths of a list in dvc.yaml, whose entries are `path` or `{path: options}`."""
    return [PurePosixPath(e if isinstance(e, str) else next(iter(e))) for e in entries or []]


def _overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


class _Workers:
    """Threads that each wait for one `dvc` process and pass its output on, line by line."""

    def __init__(self, jobs: int) -> None:
        self.pool = ThreadPoolExecutor(jobs)
        self.processes: list[subprocess.Popen[str]] = []
        self.printing = threading.Lock()

    def start(self, stage: str) -> Future[int]:
        """Start `dvc repro` of one stage; the future gives its exit status."""
        command = _dvc("repro", "--single-item", stage)
        # the stages' `python` must be this one, even if nobody activated the environment
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PATH": path},
            text=True,
            errors="replace",
            start_new_session=True,  # so that `close` reaches the stage as well as dvc
        )
        self.processes.append(process)
        return self.pool.submit(self._follow, stage, process)

    def close(self) -> None:
        """Stop what still runs, which is something only after an exception, and wait for it."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        self.pool.shutdown()

    def _follow(self, stage: str, process: subprocess.Popen[str]) -> int:
        assert process.stdout is not None
        for line in process.stdout:
            with self.printing:
                print(f"{stage} | {line}", end="", flush=True)
        return process.wait()
