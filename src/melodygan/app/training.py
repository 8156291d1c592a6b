"""Training from the page: `dvc repro STAGE` in a child, and what any training leaves to be seen.

How far a training is stands in the curves that it writes, so one that was started in a terminal
shows too.
"""

import asyncio
import csv
import os
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from melodygan.app.child import scrubbed
from melodygan.app.listening import METRICS, verdict
from melodygan.commands.repro import read_graph
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import read_params
from melodygan.pipeline.runtime import Runtime, cache_root

_LINES = 40  # of its output that are kept
_POINTS = 160  # of a curve that are sent
_FRESH = 90.0  # s since the last row of a curve, in which somebody still trains
_GRACE = 20.0  # s that a stopped run may take to end


class Training:
    """The one run that the page has started, if any."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self.stage: str | None = None  # that is being made
        self.wanted: str | None = None  # that was asked for
        self.ended = ""
        self.lines: deque[str] = deque(maxlen=_LINES)
        self._seen: dict[str, tuple[float, float]] = {}  # of each stage: step and time at the start

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._process is not None and self._process.returncode is None

    async def start(self, stage: str | None) -> None:
        """`dvc repro STAGE`, or all of them. Raises UserError if it runs, or there is no such."""
        async with self._starting:  # two that came at once would both start
            await self._start(stage)

    async def _start(self, stage: str | None) -> None:
        if self.running:
            raise UserError("a training runs already: stop it first, or wait for its end")
        if stage is not None and stage not in read_graph(Path("dvc.yaml")):
            raise UserError(f"dvc.yaml has no stage {stage[:40]}")
        self.wanted, self.stage, self.ended = stage, None, ""
        self._stopping = None
        self.lines.clear()
        self._seen.clear()
        command = [sys.executable, "-m", "melodygan.commands.dvc_child", str(os.getpid()), "repro"]
        # the stages' `python` must be this one, even if nobody activated the environment
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self._process = await asyncio.create_subprocess_exec(
            *command,
            *([stage] if stage else []),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self._task = asyncio.create_task(self._follow(self._process))

    def stop(self) -> None:
        """End it as Ctrl-C does, once it has saved its state; when asked again, at once."""
        if self._process and self.running:
            at_once = self.stopping
            if self._stopping:
                self._stopping.cancel()
            self._stopping = asyncio.create_task(self._end(self._process, at_once))

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop, and still runs."""
        return self.running and self._stopping is not None

    async def close(self) -> None:
        """Stop it at once, and wait. What it has saved stays."""
        if self._process and self.running:
            await self._end(self._process, at_once=True)

    async def _end(self, process: asyncio.subprocess.Process, at_once: bool) -> None:
        if not at_once:
            await self._saved()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    async def _saved(self) -> None:
        """Wait for the next checkpoint of the stage that trains; not for one that never comes."""
        before, stage = _checkpoints(self.stage), self.stage
        ends = time.monotonic() + Runtime.read().checkpoint_seconds + _GRACE
        while before is not None and time.monotonic() < ends and self.running:
            if self.stage != stage or _checkpoints(stage) != before:
                return
            await asyncio.sleep(0.2)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            if line.startswith("Running stage '"):
                self.stage = line.split("'")[1]
            if line:
                self.lines.append(scrubbed(line))
        status = await process.wait()
        self.ended = "stopped" if self._stopping else "ended" if status == 0 else "failed"
        self.stage = None

    def told(self) -> dict[str, Any]:
        """As the page shows it."""
        params = read_params()
        stages = [
            self._stage(name, params.get(name))
            for name in read_graph(Path("dvc.yaml"))
            if _settings(params.get(name)) is not None
        ]
        return {
            "running": self.running,
            "stopping": self.stopping,
            "stage": self.stage,
            "wanted": self.wanted,
            "ended": self.ended,
            "lines": list(self.lines),
            "stages": stages,
        }

    def _stage(self, name: str, params: Any) -> dict[str, Any]:
        """One training stage: how far it is, its curves, its verdict."""
        settings = _settings(params) or {}
        curve = METRICS / name / "train.tsv"
        train, scores = _table(curve), _table(METRICS / name / "validation.tsv")
        step = max([*train.get("step", []), *scores.get("step", []), 0.0])
        said, now = verdict(name), time.time()
        fresh = curve.is_file() and now - curve.stat().st_mtime < _FRESH and not said
        busy = self.stage == name if self.running else fresh
        rate = left = None
        if busy and step:
            first, since = self._seen.setdefault(name, (step, now))
            if step > first and now > since:
                rate = (step - first) / (now - since)
                left = max(settings["steps"] - step, 0) / rate
        else:
            self._seen.pop(name, None)
        return {
            "name": name,
            "state": "training" if busy else "trained" if said else "not trained",
            "step": int(step),
            "steps": settings["steps"],
            "rate": rate,
            "left": left,
            "verdict": said,
            "losses": _thinned(train),
            "scores": _thinned(scores),
            "command": f"uv run dvc repro {name}",
        }


def _checkpoints(stage: str | None) -> list[str] | None:
    """Names of a stage's checkpoints; None where it has none, as before its first."""
    folder = cache_root() / "checkpoints" / str(stage)
    return sorted(path.name for path in folder.glob("*/step-*.pt")) or None if stage else None


def _settings(params: Any) -> dict[str, Any] | None:
    """Where a params group says how long to train: in itself, or in the kind that it chooses."""
    if not isinstance(params, dict):
        return None
    inner = params.get(str(params.get("kind")), params)
    return inner if isinstance(inner, dict) and "steps" in inner else None


def _table(path: Path) -> dict[str, list[float]]:
    """Columns of a curve; nothing where there is none yet. A last line may be half-written."""
    columns: dict[str, list[float]] = {}
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if None in row or None in row.values():
                    break
                for key, value in row.items():
                    columns.setdefault(key, []).append(float(value or "nan"))
    except (OSError, ValueError):
        return columns
    return columns


def _thinned(table: dict[str, list[float]]) -> dict[str, list[float | None]]:
    """Of each column, points at equal distances; None for what is no number."""
    rows = min(map(len, table.values()), default=0)
    every = -(-rows // _POINTS) or 1
    return {
        key: [x if x == x else None for x in values[:rows][::-1][::every][::-1]]
        for key, values in table.items()
    }
