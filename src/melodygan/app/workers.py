"""The parent's side of children: one is kept warm, so that whoever asks need not wait for torch."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

Message = dict[str, Any]
CHILD = (sys.executable, "-m", "melodygan.app.child")
_STARTED = ("params.yaml", "dvc.yaml")
_LINE = 1 << 22  # bytes of one answer


def stamp() -> tuple[Any, ...]:
    """Changes when the models do, or what says how to read them."""
    files = [Path(name) for name in _STARTED] + sorted(Path("models").glob("*/*"))
    found = []
    for file in files:
        with suppress(OSError):  # a training replaces its model
            found.append((str(file), file.stat().st_mtime_ns, file.stat().st_size))
    return tuple(found)


class Lost(Exception):
    """A child that has ended without an answer."""


class Worker:
    """A child process that does one deed after another."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.stamp = process, stamp()
        self.inventory: Message | None = None
        self._getting_ready = asyncio.Lock()

    @classmethod
    async def start(cls, command: Sequence[str]) -> "Worker":
        """Start one; it loads the models on its own. command: of the child, without its parent."""
        process = await asyncio.create_subprocess_exec(
            *command,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE,
            process_group=0,  # Ctrl-C is for the server, who ends its children
        )
        return cls(process)

    @property
    def usable(self) -> bool:
        """Whether it still runs, with the models that lie there now."""
        return self.process.returncode is None and self.stamp == stamp()

    async def ready(self) -> Message:
        """What its models can do. Raises Lost; `failed` in the answer says what is wrong there."""
        async with self._getting_ready:
            if self.inventory is None:
                message, _ = await self.hear()
                self.inventory = message.get("ready") or message
            return self.inventory

    async def do(
        self, deed: str, folder: Path, wish: Message
    ) -> AsyncIterator[tuple[Message, bytes]]:
        """What it answers, to the last: one with `done` or `failed`. Raises Lost."""
        await self.ready()
        await self.send({"do": deed, "folder": str(folder.absolute()), "wish": wish})
        while True:
            message, sound = await self.hear()
            yield message, sound
            if "done" in message or "failed" in message:
                return

    async def send(self, message: Message) -> None:
        """Raises Lost."""
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            await self.process.stdin.drain()
        except (ConnectionError, RuntimeError):
            raise Lost from None

    async def hear(self) -> tuple[Message, bytes]:
        """The next answer. Raises Lost."""
        assert self.process.stdout
        try:
            message = json.loads(await self.process.stdout.readuntil(b"\n"))
            sound = await self.process.stdout.readexactly(message.get("sound", 0))
        except asyncio.IncompleteReadError:
            raise Lost from None
        return message, sound

    async def end(self) -> None:
        """End it, whatever it is doing."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                # not Process.kill, which may reap it before asyncio does
                os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()


class Workers:
    """Children by need: at most one idles."""

    def __init__(self, command: Sequence[str] = CHILD) -> None:
        self.command = command
        self._idle: Worker | None = None
        self._starting = asyncio.Lock()
        self._all: set[Worker] = set()

    async def warm(self) -> Message:
        """Have one ready, and tell what its models can do. Raises Lost."""
        async with self._starting:
            worker = await self._spare()
            self._idle = worker
        return await worker.ready()

    async def take(self) -> Worker:
        """One to work with, which is ready or soon will be; `give` it back."""
        async with self._starting:
            worker = await self._spare()
            self._idle = None
        return worker

    async def give(self, worker: Worker) -> None:
        """Keep a worker for the next, or end it."""
        if worker in self._all and worker.usable and self._idle is None:
            self._idle = worker
        else:
            await self.drop(worker)

    async def drop(self, worker: Worker) -> None:
        """End a worker in the midst of its work."""
        self._all.discard(worker)
        await worker.end()

    async def close(self) -> None:
        """End all."""
        for worker in list(self._all):
            await self.drop(worker)

    async def _spare(self) -> Worker:
        worker = self._idle
        if worker is not None and not worker.usable:
            self._idle = None
            await self.drop(worker)
            worker = None
        if worker is None:
            worker = await Worker.start(self.command)
            self._all.add(worker)
        return worker
