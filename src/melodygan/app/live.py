"""Music without end for listeners: one child for each, as many at once as a machine can bear."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from melodygan.app.wishes import Live
from melodygan.app.workers import Lost, Message, Worker, Workers
from melodygan.pipeline.errors import UserError

MOST = 2  # listeners at once
_UNHEARD = 20.0  # s after which a stream that nobody fetches is given up
_GRACE = 5.0  # s in which a child that is told to stop must have done so
_KEPT = 64  # pieces, about a minute, that wait for a listener who does not take them


@dataclass
class Session:
    """One listener's music. speed: seconds of sound made in one (the real-time factor)."""

    id: str
    visitor: str
    wish: Live
    worker: Worker
    rate: int  # Hz
    speed: float = 0.0
    seconds: float = 0.0
    label: str | None = None
    begun: bool = False
    left: bool = False
    ended: bool = False
    pieces: "asyncio.Queue[bytes | None]" = field(default_factory=asyncio.Queue)

    def told(self) -> dict[str, Any]:
        """As the page shows it."""
        return {name: getattr(self, name) for name in ("id", "rate", "speed", "seconds", "label")}


class Lives:
    """All sessions."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()

    async def start(self, visitor: str, wish: Live) -> Session:
        """A new session, which ends that visitor's last. Raises UserError if others listen."""
        async with self._starting:  # else many at once would all find room, and each take a child
            return await self._start(visitor, wish)

    async def _start(self, visitor: str, wish: Live) -> Session:
        for old in [s for s in self.sessions.values() if s.visitor == visitor]:
            self.stop(old)
        if len(self.sessions) >= MOST:
            raise UserError(f"{MOST} others are listening: wait until one of them stops")
        worker = await self.workers.take()
        try:
            ready = await worker.ready()
            require_possible(ready, wish)
        except UserError:
            await self.workers.give(worker)
            raise
        except BaseException:
            await self.workers.drop(worker)
            raise
        session = Session(secrets.token_urlsafe(16), visitor, wish, worker, ready["rate"])
        self.sessions[session.id] = session
        asyncio.get_running_loop().call_later(_UNHEARD, self._give_up, session)
        return session

    def find(self, visitor: str, id_: str) -> Session:
        """Raises UserError where the visitor has no such session."""
        session = self.sessions.get(id_)
        if session is None or session.visitor != visitor:
            raise UserError("this music has stopped: start it again")
        return session

    async def sound(self, session: Session) -> AsyncIterator[bytes]:
        """Samples, 16 bit, little-endian, mono, until the listener leaves or stops it.

        Nothing for a second listener, who came as early as the first.
        """
        if session.begun:
            return
        session.begun = True
        self._keep(self._pump(session))
        try:
            while (piece := await session.pieces.get()) is not None:
                yield piece
        finally:
            self.stop(session)

    async def order(self, session: Session, wish: Live) -> None:
        """Ask for something else, as `melodygan play --steer` is asked. Raises UserError, Lost."""
        require_possible(await session.worker.ready(), wish)
        await session.worker.send({"order": f"label {wish.label or ''}"})
        if wish.temperature is not None:
            await session.worker.send({"order": f"temperature {wish.temperature}"})

    def stop(self, session: Session) -> None:
        """End it soon."""
        session.left = True
        session.pieces.put_nowait(None)
        if self.sessions.pop(session.id, None):
            self._keep(self._end(session))

    async def _pump(self, session: Session) -> None:
        """Take in what the child makes, to its end, also when nobody listens any more."""
        worker = session.worker
        with suppress(Lost):  # then the music ends
            async for message, sound in worker.do("live", Path(), asdict(session.wish)):
                if sound and not session.left:
                    session.speed, session.label = message["speed"], message["label"]
                    session.seconds += len(sound) / 2 / session.rate
                    session.pieces.put_nowait(sound)
                if session.pieces.qsize() > _KEPT:
                    self.stop(session)
        session.ended = True
        self.stop(session)
        await self.workers.give(worker)

    async def _end(self, session: Session) -> None:
        """Tell the child, and end it if it does not hear."""
        worker = session.worker
        if not session.begun:
            await self.workers.give(worker)
            return
        if session.ended:
            return
        with suppress(Lost):
            await worker.send({"stop": True})
        await asyncio.sleep(_GRACE)
        if not session.ended:
            await self.workers.drop(worker)

    def _give_up(self, session: Session) -> None:
        if not session.begun:
            self.stop(session)

    def _keep(self, work: Any) -> None:
        """Run beside the others; asyncio keeps no hold of tasks."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def require_possible(inventory: Message, wish: Live) -> None:
    """Raises UserError for a model that cannot play on, or a label or temperature it has not."""
    if "failed" in inventory:
        raise UserError(inventory["failed"])
    players = {model["name"]: model for model in inventory["samplers"] if model["endless"]}
    if not players:
        raise UserError("no trained model plays without end: run `dvc repro latent_prior`")
    name = wish.model or next(iter(players))
    if name not in players:
        raise UserError(f"{name[:40]} does not play without end: choose {', '.join(players)}")
    known = players[name]["labels"]
    if wish.label is not None and wish.label not in known:
        raise UserError(f"{name} knows no label {wish.label[:40]} (known: {', '.join(known)})")
    if wish.temperature is not None and not players[name]["tempered"]:
        raise UserError(f"{name} has no temperature")
