"""How long `melodygan app` takes to start, to sound and to obey, and its peak memory.

    uv run python benchmarks/app.py [PORT]

Run it in a folder with trained models. Linux: peak memory is VmHWM of /proc.
"""

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil


class Page:
    """A visitor."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.headers: dict[str, str] = {}
        answer = self.ask("GET", "/")
        found = re.search(rb'melodygan-key" content="([^"]+)"', answer.read())
        assert found
        cookie = answer.headers["set-cookie"].partition(";")[0]
        self.headers = {"x-melodygan-key": found[1].decode(), "cookie": cookie}

    def ask(self, method: str, path: str, value: Any = None) -> http.client.HTTPResponse:
        """An answer, of which the body can be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        body = None if value is None else json.dumps(value)
        connection.request(method, path, body, self.headers)
        return connection.getresponse()

    def json(self, method: str, path: str, value: Any = None) -> Any:
        """Of an answer."""
        return json.loads(self.ask(method, path, value).read())


def main(port: int) -> None:
    """Measure, and print a table's rows."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "melodygan.cli", "app", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        process.stdout.readline()
        page = Page(port)
        told("page answers after", time.monotonic() - begun, "s")
        models = page.json("GET", "/api/models")
        told("models are ready after", time.monotonic() - begun, "s")
        for name, megabytes in peaks(process.pid):
            told(f"peak memory of the {name}, idle", megabytes, "MB")
        label, other = models["labels"][:2]
        job = page.json("POST", "/api/jobs/generate", wish(label) | {"count": 1, "seconds": 10.0})
        while job["state"] in ("waiting", "running"):
            time.sleep(0.1)
            (job,) = page.json("GET", "/api/jobs")["jobs"]
        told("10 s of music are made in", job["seconds"], "s")
        live(page, wish(label), wish(other))
        for name, megabytes in peaks(process.pid):
            told(f"peak memory of the {name}, after that", megabytes, "MB")
    finally:
        process.terminate()
        process.wait()


def wish(label: str) -> dict[str, Any]:
    """A model that plays on is the default."""
    return {"label": label, "seed": 1}


def live(page: Page, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Time from Play to the first sound, and from another wish until that is heard."""
    begun = time.monotonic()
    session = page.json("POST", "/api/live", first)
    sound = page.ask("GET", f"/api/live/{session['id']}/sound")
    arrived, started, asked = 0.0, 0.0, 0.0
    while arrived < 20:
        arrived += len(sound.read1(1 << 16)) / 2 / session["rate"]
        now = time.monotonic()
        if not started:
            started = now
            told("live music sounds after", now - begun, "s")
        if arrived > 6 and not asked:
            asked = now
            page.json("POST", f"/api/live/{session['id']}", second)
        state = page.json("GET", f"/api/live/{session['id']}")
        if asked and state["label"] == second["label"]:
            # what has arrived before it is heard first
            heard = started + arrived
            told("another label is heard after", max(heard, now) - asked, "s")
            told("seconds of music made in one", state["speed"], "")
            break
    page.json("POST", f"/api/live/{session['id']}/stop", {})
    time.sleep(1)


def peaks(pid: int) -> Iterator[tuple[str, float]]:
    """Name and peak memory of the server and of its children."""
    server = psutil.Process(pid)
    for one, name in [(server, "server"), *((child, "child") for child in server.children())]:
        status = Path(f"/proc/{one.pid}/status").read_text()
        yield name, int(status.split("VmHWM:")[1].split()[0]) / 1024


def told(what: str, value: float, unit: str) -> None:
    """One figure."""
    print(f"| {what} | {value:.3g} {unit} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7898)
