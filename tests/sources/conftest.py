"""A real HTTP server on 127.0.0.1 that misbehaves on request, and small real audio files."""

import io
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
import yaml

from melodygan.pipeline import Stage
from melodygan.pipeline.files import read_rows
from melodygan.sources.lock import LockSummary, lock
from melodygan.sources.raw import DownloadParams, write_raw
from melodygan.sources.ytdlp import Patience

QUICK = Patience(socket_timeout=0.5, retries=0, tries=2, pause=0.01)
PARAMS = DownloadParams("fail", connections=4, per_host=2)
STALL = 5.0  # s; longer than any time-out in these tests


def _tone(hertz: float, seconds: float = 0.3, kind: str = "WAV", subtype: str = "PCM_16") -> bytes:
    time_axis = np.arange(round(8000 * seconds)) / 8000
    file = io.BytesIO()
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * hertz * time_axis), 8000, subtype, format=kind)
    return file.getvalue()


@pytest.fixture
def tone() -> Callable[..., bytes]:
    """A whole audio file with one sine: tone(hertz, seconds, kind, subtype)."""
    return _tone


@dataclass
class Page:
    """What the server answers at one path.

    fault: "" | stall | truncate (says the full length) | no_length | truncate_no_length | status |
    hold (stops half-way until the server ends). faults: how many of the first requests get the
    fault; later ones are answered well. headers: more of them. ranges: answer requests for a part
    of the body. meet: the first request is answered when the others have come to the barrier.
    """

    body: bytes
    content_type: str = "audio/wav"
    fault: str = ""
    faults: float = float("inf")
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = False
    meet: threading.Barrier | None = None


@dataclass
class Server:
    """The address, the pages by path, and how often each was asked for.

    log: (time.monotonic(), path, Range header) of each request. busiest: by the host that
    clients named, and in all (""): the most requests that were in progress at once.
    """

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    log: list[tuple[float, str, str | None]] = field(default_factory=list)
    busy: Counter[str] = field(default_factory=Counter)
    busiest: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ranges(self) -> list[str]:
        """The parts that were asked for."""
        return [asked for _, _, asked in self.log if asked]

    @contextmanager
    def count(self, host: str) -> Iterator[None]:
        """Count a request while it is answered."""
        with self.lock:
            for name in (host, ""):
                self.busy[name] += 1
                self.busiest[name] = max(self.busiest[name], self.busy[name])
        yield
        with self.lock:
            self.busy[host] -= 1
            self.busy[""] -= 1

    def add(self, path: str, body: bytes, content_type: str = "audio/wav", **faults: Any) -> str:
        """Serve a Page at `path`; return its address."""
        self.pages[unquote(path)] = Page(body, content_type, **faults)
        return self.address + path

    def feed(self, path: str, items: list[tuple[str, str]]) -> str:
        """Serve an RSS feed of (title, enclosure address) at `path`; return its address."""
        rows = "".join(
            f"<item><title><![CDATA[{title}]]></title>"
            f'<enclosure url="{url}" type="audio/wav" length="1"/></item>'
            for title, url in items
        )
        text = f'<rss version="2.0"><channel><title>t</title>{rows}</channel></rss>'
        return self.add(path, text.encode(), "application/rss+xml")


def _handler(server: Server, stop: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(send_body=False)

        def do_GET(self) -> None:
            self.answer(send_body=True)

        def answer(self, send_body: bool) -> None:
            path = unquote(self.path)
            server.log.append((time.monotonic(), path, self.headers["Range"]))
            with server.count(self.headers["Host"].split(":")[0]):
                page = server.pages.get(path)
                server.requests[path] += 1
                if page is None:
                    self.send_error(404)
                    return
                meet, page.meet = page.meet, None
                if meet:
                    meet.wait(STALL)
                fault = page.fault if server.requests[path] <= page.faults else ""
                if fault == "stall":
                    stop.wait(STALL)
                else:
                    self.send(page, fault, send_body)

        def send(self, page: Page, fault: str, send_body: bool) -> None:
            asked = re.match(r"bytes=(\d+)-", self.headers["Range"] or "")
            start = int(asked[1]) if asked and page.ranges and not fault else 0
            if start >= len(page.body) > 0:
                self.send_error(416)
                return
            self.send_response(page.status if fault == "status" else 206 if start else 200)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", page.content_type)
            if start:
                length = len(page.body)
                self.send_header("Content-Range", f"bytes {start}-{length - 1}/{length}")
            body = b"" if fault == "status" else page.body[start:]
            if "no_length" not in fault:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault == "hold":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                stop.wait(60)
            elif send_body:
                self.wfile.write(body[: len(body) // 2] if "truncate" in fault else body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server without pages."""
    monkeypatch.setenv("no_proxy", "*")
    stop = threading.Event()
    pages = Server("")
    http = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    http.daemon_threads = True
    http.RequestHandlerClass = _handler(pages, stop)
    pages.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=lambda: http.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    yield pages
    stop.set()
    http.shutdown()
    http.server_close()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository as the working directory: the store and relative folders live in it."""
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(root)
    return root


@dataclass
class Project:
    """A repository with sources: lock them, download them."""

    params: DownloadParams = PARAMS
    sources: Path = Path("data/sources.yaml")
    lock_file: Path = Path("data/sources.lock.yaml")
    raw: Path = Path("data/raw")

    def lock(self, *entries: dict[str, Any], patience: Patience = QUICK) -> LockSummary:
        """Write sources.yaml, if entries are given, and lock it."""
        if entries:
            self.sources.parent.mkdir(exist_ok=True)
            self.sources.write_text(yaml.safe_dump({"sources": list(entries)}))
        return lock(self.sources, self.lock_file, patience, self.params)

    def download(self, patience: Patience = QUICK) -> list[dict[str, Any]]:
        """Run the stage's work; return the rows of its index."""
        stage = Stage("download")
        write_raw(stage, self.params, self.sources, self.lock_file, self.raw, patience)
        return read_rows(self.raw / "index.jsonl")


@pytest.fixture
def project(repository: Path) -> Project:
    """A Project in the working directory."""
    Path("dvc.yaml").write_text("stages: {download: {cmd: x, deps: []}}")
    return Project()
