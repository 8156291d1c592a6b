"""The queue, with real child processes that compute nothing."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from melodygan.app.jobs import WAITING, Job, Queue, told
from melodygan.app.live import MOST, Lives
from melodygan.app.shelf import Shelf
from melodygan.app.wishes import Live
from melodygan.app.workers import Workers
from melodygan.pipeline.errors import UserError

CHILD = (sys.executable, str(Path(__file__).with_name("children.py")))


def with_queue(tmp_path: Path, work: Callable[[Queue], Awaitable[None]]) -> None:
    """Do something with a queue that runs."""

    async def run() -> None:
        workers = Workers(CHILD)
        queue = Queue(Shelf(tmp_path / "shelf"), workers)
        running = asyncio.create_task(queue.run())
        try:
            async with asyncio.timeout(60):
                await work(queue)
        finally:
            running.cancel()
            await workers.close()

    asyncio.run(run())


async def over(*jobs: Job) -> None:
    """Wait for jobs."""
    while not all(job.over for job in jobs):
        await asyncio.sleep(0.01)


async def running(job: Job) -> None:
    """Wait until a job is under way."""
    while job.share == 0:
        await asyncio.sleep(0.01)


def add(queue: Queue, visitor: str, name: str, **wish: object) -> Job:
    """A job that makes a file with its name in it."""
    return queue.add(visitor, "generate", {"name": name, **wish}, {})


def test_visitors_take_turns_however_much_one_of_them_asks_for(tmp_path: Path) -> None:
    async def work(queue: Queue) -> None:
        first = [add(queue, "ann", f"a{n}", take=0.05) for n in range(3)]
        await running(first[0])
        second = [add(queue, "bob", f"b{n}", take=0.05) for n in range(2)]
        assert [queue.ahead(job) for job in second] == [1, 3]
        assert [queue.ahead(job) for job in first[1:]] == [2, 4]
        order: list[str] = []
        while len(order) < 5:
            for job in (*first, *second):
                name = str(job.wish["name"])
                if job.state == "done" and name not in order:
                    order.append(name)
            await asyncio.sleep(0.005)
        assert order == ["a0", "b0", "a1", "b1", "a2"]

    with_queue(tmp_path, work)


def test_a_cancelled_job_ends_its_process_at_once_and_the_next_one_starts(tmp_path: Path) -> None:
    async def work(queue: Queue) -> None:
        long, short = add(queue, "ann", "long", take=600), add(queue, "ann", "short")
        await running(long)
        assert long.worker
        pid = long.worker.process.pid
        await queue.cancel(long)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert long.state == "cancelled" and not long.folder.exists()
        await over(short)
        assert short.state == "done"
        waiting = add(queue, "ann", "never", take=600), add(queue, "ann", "late")
        await running(waiting[0])
        await queue.cancel(waiting[1])
        await queue.cancel(waiting[0])
        assert told(queue, waiting[1])["state"] == "cancelled"

    with_queue(tmp_path, work)


def test_a_crash_and_a_refusal_are_one_line_each_and_leave_no_files(tmp_path: Path) -> None:
    async def work(queue: Queue) -> None:
        crashed = add(queue, "ann", "x", crash=True)
        refused = add(queue, "ann", "y", fail="a.wav: silent: choose another file")
        fine = add(queue, "ann", "z")
        await over(crashed, refused, fine)
        assert "crashed its process (status 3)" in crashed.failed
        assert refused.failed == "a.wav: silent: choose another file"
        assert fine.state == "done"
        assert not crashed.folder.exists() and not refused.folder.exists()

    with_queue(tmp_path, work)


def test_results_and_jobs_are_their_owners_alone(tmp_path: Path) -> None:
    async def work(queue: Queue) -> None:
        job = add(queue, "ann", "mine")
        await over(job)
        (file,) = job.result["files"]
        assert "file" not in file, "where it lies is nobody's business"
        item = queue.shelf.result("ann", file["id"])
        assert item and item.path.read_text() == "mine"
        assert queue.shelf.result("bob", file["id"]) is None
        assert queue.of("bob") == []
        with pytest.raises(UserError, match="not here"):
            queue.find("bob", job.id)
        await queue.forget(job)
        assert queue.shelf.result("ann", file["id"]) is None and not item.path.exists()

    with_queue(tmp_path, work)


def test_nobody_can_fill_the_queue(tmp_path: Path) -> None:
    async def work(queue: Queue) -> None:
        jobs = [add(queue, "ann", "long", take=600)]
        await running(jobs[0])
        jobs += [add(queue, "ann", "more") for _ in range(WAITING)]
        with pytest.raises(UserError, match="are waiting"):
            add(queue, "ann", "too many")
        add(queue, "bob", "fine")

    with_queue(tmp_path, work)


def test_an_upload_is_bounded_and_its_name_is_no_path(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf")

    async def chunks(*parts: bytes):
        for part in parts:
            yield part

    async def work() -> None:
        item = await shelf.receive("ann", "../../etc/pass wd.FLAC", chunks(b"ab", b"c"), 3)
        assert item.path.read_bytes() == b"abc"
        assert item.name == "pass wd.FLAC" and item.path.name == "pass-wd.flac"
        assert item.path.is_relative_to(tmp_path / "shelf")
        with pytest.raises(UserError, match="choose it again"):
            shelf.upload("bob", item.id)
        for sent, message in (((b"ab", b"cd"), "more than"), ((), "an empty file")):
            with pytest.raises(UserError, match=message):
                await shelf.receive("ann", "x.wav", chunks(*sent), 3)
        files = [path for path in (tmp_path / "shelf").rglob("*") if path.is_file()]
        assert files == [item.path], "nothing stays of what was refused"

    asyncio.run(work())


def test_a_job_for_which_there_is_no_process_fails_and_the_next_one_is_done(tmp_path: Path) -> None:
    async def work(queue: Queue) -> None:
        queue.workers.command = (str(tmp_path / "not there"),)
        failed = add(queue, "ann", "x")
        await over(failed)
        assert failed.state == "failed" and failed.failed and not failed.folder.exists()
        queue.workers.command = CHILD
        fine = add(queue, "ann", "y")
        await over(fine)
        assert fine.state == "done"

    with_queue(tmp_path, work)


def test_however_many_ask_at_once_no_more_than_a_few_listen(tmp_path: Path) -> None:
    async def work() -> None:
        workers = Workers(CHILD)
        lives = Lives(workers)
        wish = Live(None, None, None, 0)
        asked = (lives.start(f"visitor {n}", wish) for n in range(MOST + 3))
        try:
            answers = await asyncio.gather(*asked, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, UserError)]
            assert len(refused) == 3 and "others are listening" in str(refused[0])
            assert len(lives.sessions) == MOST == len(workers._all)
        finally:
            await workers.close()

    asyncio.run(work())
