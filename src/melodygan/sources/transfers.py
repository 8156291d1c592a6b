"""Many transfers side by side, few to one server, with the same result as one after another."""

import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import Range
from melodygan.sources.store import DiskFull

Job = TypeVar("Job")
Result = TypeVar("Result")
_SHOWN = 3  # failures told in words


@dataclass(frozen=True)
class DownloadParams:
    """Params group `download`.

    on_drift, for bytes that are not the locked ones: `fail`; `accept` the new ones; `keep` the
    locked ones, of which it therefore stores copies of local files too. connections: at most so
    many transfers at once; per_host: to the host of one address.
    """

    on_drift: Literal["fail", "accept", "keep"]
    connections: Annotated[int, Range(ge=1)]
    per_host: Annotated[int, Range(ge=1)]


def side_by_side(
    jobs: Sequence[Job],
    work: Callable[[Job], Result],
    address: Callable[[Job], str | None],
    limits: DownloadParams,
) -> list[Result | UserError]:
    """work(job) for every job in threads; the results, or the UserErrors raised, in their order.

    address: the URL by whose host a job counts; None for local files, which count as one host.
    Any other exception, and DiskFull, keeps further jobs from starting and is raised when the
    running ones have ended.
    """
    return _Crew(jobs, work, address, limits).run()


class _Crew(Generic[Job, Result]):
    def __init__(
        self,
        jobs: Sequence[Job],
        work: Callable[[Job], Result],
        address: Callable[[Job], str | None],
        limits: DownloadParams,
    ) -> None:
        self.jobs, self.work, self.limits = jobs, work, limits
        self.queues: dict[str, deque[int]] = {}
        for number, job in enumerate(jobs):
            host = urlsplit(address(job) or "").hostname or ""
            self.queues.setdefault(host, deque()).append(number)
        self.running: Counter[str] = Counter()
        self.results: dict[int, Result | UserError] = {}
        self.fatal: list[BaseException] = []
        self.changed = threading.Condition()

    def run(self) -> list[Result | UserError]:
        # daemons: an interrupted program must not wait for the rest of an hour of music
        count = min(self.limits.connections, len(self.jobs))
        threads = [threading.Thread(target=self._member, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.fatal:
            raise self.fatal[0]
        return [self.results[number] for number in range(len(self.jobs))]

    def _member(self) -> None:
        while (found := self._next()) is not None:
            host, number = found
            result: Result | UserError | None = None
            fatal: BaseException | None = None
            try:
                result = self.work(self.jobs[number])
            except DiskFull as error:
                fatal = error
            except UserError as error:
                result = error
            except BaseException as error:  # raised again by `run`, in the caller's thread
                fatal = error
            with self.changed:
                self.running[host] -= 1
                if fatal is None:
                    self.results[number] = result  # type: ignore[assignment]
                else:
                    self.fatal.append(fatal)
                    self.queues.clear()
                self.changed.notify_all()

    def _next(self) -> tuple[str, int] | None:
        """A job that may start now; waits for one; None when none is left."""
        with self.changed:
            while self.queues:
                for host, queue in self.queues.items():
                    if self.running[host] < self.limits.per_host:
                        number = queue.popleft()
                        if not queue:
                            del self.queues[host]
                        self.running[host] += 1
                        return host, number
                self.changed.wait()
        return None


def together(errors: Sequence[UserError], what: str) -> UserError:
    """One line for several failures: the first few in words, and how many there are."""
    if len(errors) == 1:
        return errors[0]
    shown = "; ".join(str(error) for error in errors[:_SHOWN])
    more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    return UserError(f"{len(errors)} {what}: {shown}{more}")


def say(line: str) -> None:
    """Print a line in one piece, whatever other threads print."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
