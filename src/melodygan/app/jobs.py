"""The one queue of what takes long: visitors take turns, and each job shows how far it is."""

import asyncio
import time
import traceback
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from melodygan.app.child import BROKEN, scrubbed
from melodygan.app.shelf import KEPT, Shelf
from melodygan.app.workers import Lost, Message, Worker, Workers
from melodygan.pipeline.errors import UserError, mendable

WAITING = 8  # jobs of one visitor that may wait
LONGEST = 3600.0  # s that a job may take
State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass
class Job:
    """One thing that a visitor asked for. wish: as it was asked; told: what the page shows."""

    id: str
    visitor: str
    deed: str
    wish: Mapping[str, Any]
    folder: Path
    shown: Mapping[str, Any]
    state: State = "waiting"
    doing: str = ""
    share: float = 0.0
    failed: str = ""
    result: Message = field(default_factory=dict)
    seconds: float = 0.0
    worker: Worker | None = None
    task: "asyncio.Task[None] | None" = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ("done", "failed", "cancelled")


class Queue:
    """Jobs of all visitors; one runs at a time, for a model takes all cores."""

    def __init__(self, shelf: Shelf, workers: Workers) -> None:
        self.shelf, self.workers = shelf, workers
        self.jobs: dict[str, Job] = {}
        self._lines: dict[str, deque[Job]] = {}  # of each visitor, what waits
        self._served: dict[str, int] = {}  # how many turns had been when theirs came last
        self._more = asyncio.Event()

    def add(
        self, visitor: str, deed: str, wish: Mapping[str, Any], shown: Mapping[str, Any]
    ) -> Job:
        """Take on a job. shown: of the wish, what the page shows. Raises UserError for too many."""
        line = self._lines.setdefault(visitor, deque())
        if len(line) >= WAITING:
            raise UserError(f"{WAITING} of your jobs are waiting: let one end, or cancel one")
        id_, folder = self.shelf.room()
        job = Job(id_, visitor, deed, wish, folder, shown)
        self.jobs[id_] = job
        line.append(job)
        self._forget_old(visitor)
        self._more.set()
        return job

    def of(self, visitor: str) -> list[Job]:
        """A visitor's jobs, the newest first."""
        return [job for job in reversed(self.jobs.values()) if job.visitor == visitor]

    def find(self, visitor: str, id_: str) -> Job:
        """Raises UserError where the visitor has no such job."""
        job = self.jobs.get(id_)
        if job is None or job.visitor != visitor:
            raise UserError("this job is not here any more")
        return job

    def ahead(self, job: Job) -> int:
        """How many jobs come before one that waits, the running one among them."""
        lines = [self._lines[visitor] for visitor in self._by_turn()]
        order = [
            line[turn]
            for turn in range(max(map(len, lines), default=0))
            for line in lines
            if turn < len(line)
        ]
        running = any(other.state == "running" for other in self.jobs.values())
        return order.index(job) + running if job in order else 0

    async def cancel(self, job: Job) -> None:
        """End a job, whatever it is doing; what it had made goes with it."""
        if job.over:
            return
        if job.state == "waiting":
            self._lines[job.visitor].remove(job)
        job.state = "cancelled"
        if job.worker:
            await self.workers.drop(job.worker)
        self.shelf.clear(job.folder)

    async def forget(self, job: Job) -> None:
        """Cancel a job and take it off the list."""
        await self.cancel(job)
        self.jobs.pop(job.id, None)
        self.shelf.clear(job.folder)

    async def run(self) -> None:
        """Do one job after another, for ever."""
        while True:
            job = self._next()
            if job is None:
                self._more.clear()
                await self._more.wait()
            else:
                await self._do(job)

    def _next(self) -> Job | None:
        """The first job of whoever had a turn the longest ago, or never."""
        for visitor in self._by_turn():
            if line := self._lines[visitor]:
                self._served[visitor] = max(self._served.values(), default=0) + 1
                return line.popleft()
        return None

    def _by_turn(self) -> list[str]:
        return sorted(self._lines, key=lambda visitor: self._served.get(visitor, 0))

    async def _do(self, job: Job) -> None:
        job.state, job.doing = "running", "starting"
        begun = time.monotonic()
        try:
            worker = await self.workers.take()
        except OSError as error:  # no process or memory left: the next may find some
            self._fail(job, str(mendable(error) or BROKEN))
            self.shelf.clear(job.folder)
            return
        job.worker, answered = worker, False
        try:
            async with asyncio.timeout(LONGEST):
                if not job.over:
                    await self._follow(job, worker)
                answered = job.state != "cancelled"
        except TimeoutError:
            self._fail(job, f"took longer than {LONGEST / 60:g} min")
        except Lost:
            await worker.end()
            status = worker.process.returncode
            self._fail(job, f"crashed its process (status {status}): a damaged file may do that")
        except Exception:  # of ours: the next job must not suffer for it
            traceback.print_exc()
            self._fail(job, BROKEN)
        finally:
            job.worker, job.seconds = None, round(time.monotonic() - begun, 1)
            if answered:  # to do or to refuse; any other may be in the middle of something
                await self.workers.give(worker)
            else:
                await self.workers.drop(worker)
            if job.state != "done":
                self.shelf.clear(job.folder)

    async def _follow(self, job: Job, worker: Worker) -> None:
        ready = await worker.ready()
        if "failed" in ready and job.deed != "check":
            self._fail(job, ready["failed"])
            return
        async for message, _ in worker.do(job.deed, job.folder, dict(job.wish)):
            if job.over:
                return
            if "done" in message:
                self._finish(job, message["done"])
            elif "failed" in message:
                self._fail(job, message["failed"])
            else:
                job.doing, job.share = message["doing"], message["share"]

    def _finish(self, job: Job, result: Message) -> None:
        """Have the files that it made at hand."""
        for file in result["files"]:
            path = job.folder / file.pop("file")
            name = f"melodygan-{job.deed}-{path.stem}.wav"
            file["id"] = self.shelf.show(job.visitor, path, name)
        result["said"] = [scrubbed(line) for line in result["said"]]
        job.result, job.state, job.share = result, "done", 1.0

    def _fail(self, job: Job, why: str) -> None:
        if not job.over:
            job.state, job.failed = "failed", why

    def _forget_old(self, visitor: str) -> None:
        over = [job for job in self.jobs.values() if job.visitor == visitor and job.over]
        for job in over[:-KEPT]:
            del self.jobs[job.id]
            with suppress(OSError):
                self.shelf.clear(job.folder)


def told(queue: Queue, job: Job) -> dict[str, Any]:
    """A job as the page shows it."""
    return {
        "id": job.id, "deed": job.deed, "wish": job.shown, "state": job.state, "doing": job.doing,
        "share": job.share, "failed": job.failed, "result": job.result, "seconds": job.seconds,
        "ahead": queue.ahead(job) if job.state == "waiting" else 0,
    }  # fmt: skip
