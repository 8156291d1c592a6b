"""The routes of the page. What is wrong with a request is one line of JSON, `{"error": ...}`."""

import asyncio
import io
import json
import secrets
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from melodygan.app import listening, wishes
from melodygan.app.child import scrubbed
from melodygan.app.jobs import Queue, told
from melodygan.app.live import Lives
from melodygan.app.safety import PAGE_POLICY, Safety
from melodygan.app.shelf import Shelf
from melodygan.app.training import Training
from melodygan.app.workers import Lost, Workers
from melodygan.pipeline.errors import UserError, mendable

_STATIC = Path(__file__).with_name("static")
_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_LONGEST = 100_000  # bytes of a request's JSON
Answer = Callable[["Site", Request], Awaitable[Response]]


class Site:
    """A running page: its application and everything that it holds.

    names: of this server, with the port; token: see `Safety`. folder: for uploads and results, of
    this page alone; it is emptied.
    """

    def __init__(self, names: Iterable[str], token: str | None, folder: Path) -> None:
        self.key = secrets.token_urlsafe(24)
        self.shared, self.folder = token is not None, folder
        self.workers, self.training = Workers(), Training()
        middleware = [Middleware(Safety, names=list(names), token=token, key=self.key)]
        self.app = Starlette(
            routes=self._routes(),
            middleware=middleware,
            lifespan=self._lifespan,
            exception_handlers={
                UserError: _refused,
                OSError: _mended,
                Lost: _lost,
                HTTPException: _http,
            },
        )

    def _routes(self) -> list[Route]:
        gets: dict[str, Any] = {
            "/": self.page, "/static/{name}": self.static, "/favicon.ico": self.icon,
            "/report": self.report, "/data-page": self.data_page,
            "/api/models": self.models, "/api/jobs": self.list_jobs,
            "/api/results/{id}": self.result,
            "/api/listen": self.listen, "/api/clips/{id}/{what}": self.clip,
            "/api/train": self.train, "/api/live/{id}": self.live_status,
            "/api/live/{id}/sound": self.live_sound,
        }  # fmt: skip
        posts: dict[str, Any] = {
            "/api/uploads": self.upload, "/api/jobs/{deed}": self.add_job,
            "/api/cancel/{id}": self.cancel, "/api/forget/{id}": self.forget,
            "/api/train/start": self.train_start, "/api/train/stop": self.train_stop,
            "/api/live": self.live_start, "/api/live/{id}": self.live_order,
            "/api/live/{id}/stop": self.live_stop,
        }  # fmt: skip
        return [
            *(Route(path, endpoint, methods=["GET"]) for path, endpoint in gets.items()),
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in posts.items()),
        ]

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.shelf = Shelf(self.folder)
        self.queue, self.lives = Queue(self.shelf, self.workers), Lives(self.workers)
        tasks = [asyncio.create_task(self.queue.run()), asyncio.create_task(self._warm())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await self.training.close()
            await self.workers.close()
            self.shelf.close()

    async def _warm(self) -> None:
        await self.workers.warm()

    # pages and files

    async def page(self, request: Request) -> Response:
        text = (_STATIC / "index.html").read_text("utf-8")
        return HTMLResponse(text.replace("{{key}}", self.key))

    async def static(self, request: Request) -> Response:
        path = _STATIC / request.path_params["name"]
        if path.parent != _STATIC or path.suffix not in _KINDS or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type=_KINDS[path.suffix])

    async def icon(self, request: Request) -> Response:
        return FileResponse(_STATIC / "icon.svg", media_type=_KINDS[".svg"])

    async def report(self, request: Request) -> Response:
        return _own_page(listening.REPORT)

    async def data_page(self, request: Request) -> Response:
        return _own_page(listening.DATA)

    # what can be asked for, and asking for it

    async def models(self, request: Request) -> Response:
        return JSONResponse(await self.workers.warm() | {"local": not self.shared})

    async def upload(self, request: Request) -> Response:
        name = unquote(request.headers.get("x-name", ""))
        item = await self.shelf.receive(request.scope["visitor"], name, request.stream())
        return JSONResponse({"id": item.id, "name": item.name})

    async def add_job(self, request: Request) -> Response:
        deed = request.path_params["deed"]
        if deed not in wishes.DEEDS:
            raise HTTPException(404)
        visitor = request.scope["visitor"]
        wish = asdict(wishes.read(wishes.DEEDS[deed], await _json(request), deed))
        given = self._with_files(visitor, wish)
        shown = {**wish, **self._names(visitor, wish)}
        return JSONResponse(told(self.queue, self.queue.add(visitor, deed, given, shown)))

    def _with_files(self, visitor: str, wish: dict[str, Any]) -> dict[str, Any]:
        """The wish with uploads' names and paths in the place of their ids."""
        if wish.get("folder") is not None and self.shared:
            raise UserError(
                "folders of the server can be looked at from the server alone: drop files"
            )
        given = dict(wish)
        if wish.get("song") is not None:
            given["song"] = self._file(visitor, wish["song"])
        if "songs" in wish:
            given["songs"] = [self._file(visitor, id_) for id_ in wish["songs"]]
        return given

    def _file(self, visitor: str, id_: str) -> dict[str, str]:
        item = self.shelf.upload(visitor, id_)
        return {"name": item.name, "path": str(item.path.absolute())}

    def _names(self, visitor: str, wish: dict[str, Any]) -> dict[str, Any]:
        song = wish.get("song")
        return {} if song is None else {"name": self.shelf.upload(visitor, song).name}

    async def list_jobs(self, request: Request) -> Response:
        jobs = self.queue.of(request.scope["visitor"])
        return JSONResponse({"jobs": [told(self.queue, job) for job in jobs]})

    async def cancel(self, request: Request) -> Response:
        job = self.queue.find(request.scope["visitor"], request.path_params["id"])
        await self.queue.cancel(job)
        return JSONResponse(told(self.queue, job))

    async def forget(self, request: Request) -> Response:
        job = self.queue.find(request.scope["visitor"], request.path_params["id"])
        await self.queue.forget(job)
        return JSONResponse({})

    async def result(self, request: Request) -> Response:
        item = self.shelf.result(request.scope["visitor"], request.path_params["id"])
        if item is None or not item.path.is_file():
            raise HTTPException(404)
        name = item.name if "download" in request.query_params else None
        return FileResponse(item.path, media_type="audio/wav", filename=name)

    # what the pipeline has made

    async def listen(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(listening.gallery))

    async def clip(self, request: Request) -> Response:
        what = request.path_params["what"]
        if what not in ("sound", "picture", "real"):
            raise HTTPException(404)
        found = await run_in_threadpool(listening.find, request.path_params["id"], what)
        if found is None:
            raise HTTPException(404)
        if isinstance(found, Path):
            kind = "image/png" if what == "picture" else "audio/wav"
            return FileResponse(found, media_type=kind)
        return Response(_wav(*found), media_type="audio/wav")

    # training

    async def train(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.training.told))

    async def train_start(self, request: Request) -> Response:
        await self.training.start(wishes.read(wishes.Start, await _json(request), "train").stage)
        return JSONResponse({})

    async def train_stop(self, request: Request) -> Response:
        self.training.stop()
        return JSONResponse({})

    # music without end

    async def live_start(self, request: Request) -> Response:
        wish = wishes.read(wishes.Live, await _json(request), "live")
        session = await self.lives.start(request.scope["visitor"], wish)
        return JSONResponse(session.told())

    async def live_status(self, request: Request) -> Response:
        session = self.lives.find(request.scope["visitor"], request.path_params["id"])
        return JSONResponse(session.told())

    async def live_sound(self, request: Request) -> Response:
        session = self.lives.find(request.scope["visitor"], request.path_params["id"])
        if session.begun:
            raise HTTPException(409)
        stream = self.lives.sound(session)
        return StreamingResponse(stream, media_type="application/octet-stream")

    async def live_order(self, request: Request) -> Response:
        session = self.lives.find(request.scope["visitor"], request.path_params["id"])
        wish = wishes.read(wishes.Live, await _json(request), "live")
        await self.lives.order(session, wish)
        return JSONResponse(session.told())

    async def live_stop(self, request: Request) -> Response:
        session = self.lives.find(request.scope["visitor"], request.path_params["id"])
        self.lives.stop(session)
        return JSONResponse({})


def _own_page(path: Path) -> Response:
    """A page of the pipeline's, shut off from ours."""
    if not path.is_file():
        raise UserError(f"no {path} yet: run `dvc repro`")
    headers = {"content-security-policy": PAGE_POLICY}
    return FileResponse(path, media_type="text/html", headers=headers)


def _wav(samples: Any, rate: int) -> bytes:
    """16 bit mono samples as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return file.getvalue()


async def _json(request: Request) -> Any:
    """A small JSON body. Raises UserError for anything else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            raise UserError("this request is too long")
    try:
        value = json.loads(body or b"{}")
        json.dumps(value, ensure_ascii=False).encode()  # half a character could not be shown again
        return value
    except (ValueError, RecursionError):
        raise UserError("this request is not JSON") from None


def _error(line: str, status: int) -> Response:
    return JSONResponse({"error": scrubbed(line)}, status)


async def _refused(request: Request, error: Exception) -> Response:
    return _error(str(error), 400)


async def _mended(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    line = mendable(error)
    if line is None:
        raise error
    return _error(str(line), 507)


async def _lost(request: Request, error: Exception) -> Response:
    return _error("the models' process has ended: the server's terminal says why", 500)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.detail, error.status_code)
