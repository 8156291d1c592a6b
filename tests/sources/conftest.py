"""A real HTTP server on 127.0.0.1 that misbehaves on request, and small real audio files."""

import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

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

    fault: "" | stall | truncate (says the full length) | no_length | truncate_no_length | status.
    faults: how many of the first requests get the fault; later ones are answered well.
    """

    body: bytes
    content_type: str = "audio/wav"
    fault: str = ""
    faults: float = float("inf")
    status: int = 200


@dataclass
class Server:
    """The address, the pages by path, and how often each was asked for."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)

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
            page = server.pages.get(path)
            server.requests[path] += 1
            if page is None:
                self.send_error(404)
                return
            fault = page.fault if server.requests[path] <= page.faults else ""
            if fault == "stall":
                stop.wait(STALL)
                return
            if fault == "status":
                self.send_error(page.status)
                return
            self.send_response(200)
            self.send_header("Content-Type", page.content_type)
            if "no_length" not in fault:
                self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            body = page.body[: len(page.body) // 2] if "truncate" in fault else page.body
            if send_body:
                self.wfile.write(body)

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
