"""What is refused before anything is done: strangers' names, strangers' pages, no token."""

import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

import melodygan
from melodygan.app.child import scrubbed
from melodygan.app.safety import KEY, TOKEN, VISITOR, Safety
from melodygan.app.start import bind, names, own_folder
from melodygan.cli import main
from melodygan.pipeline.errors import UserError

HOST = "127.0.0.1:7860"


def ask(
    method: str = "GET",
    path: str = "/",
    query: str = "",
    token: str | None = None,
    **headers: str,
) -> tuple[int, dict[str, str], bool]:
    """Status and headers of an answer, and whether the page itself saw the request."""
    seen: list[str] = []
    sent: list[Any] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["visitor"])
        await PlainTextResponse("fine")(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    given = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    safe = Safety(page, [HOST, "localhost:7860"], token, "the key")
    asyncio.run(safe(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, bool(seen)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1", "", "0.0.0.0:7860"]
)
def test_another_name_that_points_at_this_address_is_refused(host: str) -> None:
    status, _, seen = ask(host=host)
    assert status == 421 and not seen
    assert ask(host="localhost:7860")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_melodygan_key": "guessed"},
        {"x_melodygan_key": "the key", "origin": "http://evil.example"},
        {"x_melodygan_key": "the key", "origin": "http://127.0.0.1:8888"},
        {"x_melodygan_key": "the key", "origin": "null"},
    ],
)
def test_a_strangers_page_can_start_and_stop_nothing(headers: dict[str, str]) -> None:
    for method in ("POST", "PUT", "DELETE"):
        status, _, seen = ask(method, "/api/train/start", **headers)
        assert status == 403 and not seen


def test_our_own_page_may() -> None:
    for origin in ({}, {"origin": f"http://{HOST}"}):
        status, _, seen = ask("POST", **{KEY.replace("-", "_"): "the key"}, **origin)
        assert status == 200 and seen


def test_beyond_this_machine_nothing_is_seen_without_the_token() -> None:
    for cookie in ("", f"{TOKEN}=wrong"):
        for path in ("/", "/api/jobs", "/static/main.js", "/report"):
            status, _, seen = ask(path=path, token="secret", cookie=cookie)
            assert status == 401 and not seen
    status, headers, seen = ask(query="token=wrong", token="secret")
    assert status == 401 and not seen and TOKEN not in headers.get("set-cookie", "")
    status, headers, seen = ask(query="token=secret", token="secret")
    assert status == 303 and headers["location"] == "/" and not seen, "out of the address"
    assert f"{TOKEN}=secret" in headers["set-cookie"] or status == 303
    status, _, seen = ask(token="secret", cookie=f"{TOKEN}=secret")
    assert status == 200 and seen


def test_pages_may_load_nothing_from_elsewhere_and_nobody_may_frame_them() -> None:
    _, headers, _ = ask()
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "http:" not in policy and "*" not in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_a_visitor_is_known_again_by_a_cookie_that_scripts_cannot_read() -> None:
    _, headers, _ = ask()
    cookie = headers["set-cookie"]
    assert cookie.startswith(f"{VISITOR}=") and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    _, headers, _ = ask(cookie=cookie.partition(";")[0])
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ann/music/x/song.wav: silent", "song.wav: silent"),
        ("models/vqvae is missing: run `dvc repro`", "models/vqvae is missing: run `dvc repro`"),
        (f"{Path.cwd()}/.cache/app/1/x/song.wav: silent", "song.wav: silent"),
        (".cache/app/7860/jobs/a-_b/out/000.wav: silent", "000.wav: silent"),
        (f"{Path.home()}/My Music/a.wav: silent", "My Music/a.wav: silent"),
        ("~/secret/song.flac: not audio", "song.flac: not audio"),
        ("x" * 1000, "x" * 400),
    ],
)
def test_no_folder_of_the_server_is_told(text: str, shown: str) -> None:
    assert scrubbed(text) == shown


def test_it_binds_to_this_machine_alone_unless_told_otherwise() -> None:
    with bind("127.0.0.1", 0) as bound:
        host, port = bound.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(UserError, match=f"port {port} at 127.0.0.1: .*--port"):
            bind("127.0.0.1", port)
    assert names(None, 7860) == [HOST, "localhost:7860"]
    assert names("::1", 80) == ["[::1]:80", "[::1]"], "browsers leave out the port 80"
    for every in ("0.0.0.0", "::"):
        with pytest.raises(UserError, match="stands for all addresses"):
            bind(every, 0)
    with pytest.raises(UserError, match="give an address of this machine"):
        bind("no such host", 0)


def test_no_page_empties_the_folder_of_one_at_another_address_or_port() -> None:
    places = [(None, 7860), (None, 7861), ("10.0.0.2", 7860), ("10.0.0.27", 860), ("::1", 7860)]
    assert len({own_folder(*place) for place in places}) == len(places)


def test_without_the_extra_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("seed: 0\n")
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # as if it were not installed
    assert main(["app"]) == 1
    told = capsys.readouterr().err
    assert told == "melodygan: the page needs its packages: `uv sync --extra app`\n"


def test_whoever_does_not_use_the_page_does_not_load_it() -> None:
    code = (
        "import sys, melodygan, melodygan.cli\n"
        "print([m for m in sys.modules if m.startswith(('starlette', 'uvicorn', 'melodygan.app'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    package = Path(melodygan.__file__).parent
    users = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if re.search("melodygan[.]app|starlette|uvicorn", file.read_text("utf-8"))
    }
    assert {user for user in users if not user.startswith("app/")} == {"commands/runs.py"}


def test_a_port_is_free_again_after_a_refusal() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError):
            bind("127.0.0.1", port)
    bind("127.0.0.1", port).close()
