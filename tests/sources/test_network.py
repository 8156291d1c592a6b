"""What transfers may reach: only public addresses by HTTP, whoever else runs beside them."""

import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from melodygan.pipeline import UserError
from melodygan.sources import network, pages
from melodygan.sources.network import watch
from melodygan.sources.remote import fetch, list_entries
from melodygan.sources.ytdlp import Access, FetchError, Patience

LOCAL = Access(allow_private=True)
QUICK = Patience(socket_timeout=0.5, retries=1, tries=2, pause=0.01)
pytestmark = pytest.mark.usefixtures("repository")
Tone = Callable[..., bytes]
SHELLS = ("sh", "bash", "dash", "zsh", "cmd.exe")


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 passes for a public address here; 127.0.0.2 and all others do not."""
    monkeypatch.setattr(network, "_is_private", lambda host: host != "127.0.0.1")


def connect(server: Any) -> str:
    """What became of a connection to the server, in words."""
    try:
        port = int(server.address.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError as error:
        return str(error)
    return "connected"


def test_a_public_transfer_is_refused_beside_one_that_may_go_everywhere(server: Any) -> None:
    meeting = threading.Barrier(2)  # both transfers are on before either connects
    became: dict[bool, str] = {}

    def transfer(allow_private: bool) -> None:
        with watch(allow_private):
            meeting.wait(30)
            became[allow_private] = connect(server)
            meeting.wait(30)

    threads = [threading.Thread(target=transfer, args=(allow,)) for allow in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert became[True] == "connected" and "private address 127.0.0.1" in became[False]


def test_sources_with_and_without_the_permission_are_locked_side_by_side(
    server: Any, tone: Tone, project: Any
) -> None:
    sources = [
        {"url": server.add(f"/{n}.wav", tone(100 + n)), "allow_private": n % 2 == 0}
        for n in range(6)
    ]
    with pytest.raises(UserError, match=r"3 of 6 sources.*entry 2: .*private address"):
        project.lock(*sources)
    assert server.requests.keys() == {"/0.wav", "/2.wav", "/4.wav"}


def test_a_librarys_own_thread_is_held_to_the_strictest_transfer(server: Any) -> None:
    seen: list[str] = []

    def in_a_thread() -> None:
        thread = threading.Thread(target=lambda: seen.append(connect(server)))
        thread.start()
        thread.join()

    with watch(allow_private=True):
        in_a_thread()

        def guard() -> None:
            with watch():
                in_a_thread()

        other = threading.Thread(target=guard)
        other.start()
        other.join()
    in_a_thread()
    assert seen[0] == seen[2] == "connected" and "private address" in seen[1]


@pytest.mark.usefixtures("loopback")
def test_a_redirect_into_a_private_network_is_refused(server: Any, tone: Tone) -> None:
    target = server.add("/s.wav", tone(440)).replace("127.0.0.1", "127.0.0.2")
    url = server.add("/r", b"", fault="status", status=302, headers={"Location": target})
    with pytest.raises(FetchError, match=r"private address 127\.0\.0\.2"):
        fetch(url, None, Access(), QUICK)
    assert server.requests["/s.wav"] == 0
    good = server.add("/t.wav", tone(440))
    assert fetch(good, None, Access(), QUICK).size  # the test's idea of "public" holds


def test_a_name_that_leads_inside_when_it_is_looked_up_again_is_refused(
    server: Any, tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: whoever checks a name before the connection hears a public address."""
    port = int(server.address.rpartition(":")[2])
    server.add("/song.wav", tone(440))
    answers: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **named: Any) -> Any:
        if host != "music.example":
            return real(host, *arguments, **named)
        answers.append("127.0.0.1" if answers else "93.184.216.34")
        return real(answers[-1], *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert look_up("music.example", port)[0][4][0] == "93.184.216.34"
    with pytest.raises(FetchError, match=r"private address 127\.0\.0\.1"):
        fetch(f"http://music.example:{port}/song.wav", None, Access(), QUICK)
    assert "127.0.0.1" in answers and server.requests["/song.wav"] == 0


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1:{port}/s.wav"])
@pytest.mark.parametrize("library", ["requests", "urllib"])
def test_redirects_to_other_schemes_are_refused(
    server: Any, target: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yt_dlp.YoutubeDL import YoutubeDL

    if library == "urllib":  # what yt-dlp uses where requests is not installed
        build = YoutubeDL.build_request_director
        monkeypatch.setattr(
            YoutubeDL,
            "build_request_director",
            lambda self, handlers, preferences=None: build(
                self, [h for h in handlers if h.RH_KEY == "Urllib"], preferences
            ),
        )
    location = target.format(port=server.address.rpartition(":")[2])
    url = server.add("/r", b"", fault="status", status=302, headers={"Location": location})
    connections: list[Any] = []
    monkeypatch.setattr("ftplib.FTP.connect", lambda *args, **_: connections.append(args))
    with pytest.raises(FetchError) as caught:
        fetch(url, None, LOCAL, QUICK)
    assert "\n" not in str(caught.value)
    assert not connections and set(server.requests) == {"/r"}


@pytest.mark.parametrize("inner", ["file:///etc/passwd", "ftp://127.0.0.1/s.wav"])
def test_media_at_other_schemes_in_a_page_or_a_feed_is_refused(
    server: Any, inner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[Any] = []
    monkeypatch.setattr("ftplib.FTP.connect", lambda *args, **_: connections.append(args))
    page = f"<html><title>t</title><audio src='{inner}'></audio></html>".encode()
    with pytest.raises(FetchError):
        fetch(server.add("/page", page, "text/html"), None, LOCAL, QUICK)
    (entry,) = list_entries(server.feed("/feed", [("Song", inner)]), LOCAL, QUICK, None)
    with pytest.raises(FetchError, match="must begin with http"):
        fetch(entry.url, entry.item, LOCAL, QUICK)
    assert not connections


def test_no_program_is_given_an_address_to_fetch() -> None:
    with watch() as refused, pytest.raises(OSError, match="refused"):
        subprocess.run([sys.executable, "-c", "", "http://10.0.0.1/s.wav"], check=True)
    assert len(refused) == 1
    with watch():
        subprocess.run([sys.executable, "-c", ""], check=True)


_started: list[list[str] | None] = [None]


def _spy(event: str, arguments: tuple[Any, ...]) -> None:
    if (seen := _started[0]) is not None:
        if event in ("os.system", "os.exec", "os.posix_spawn", "os.startfile"):
            seen.append(event)
        elif event == "subprocess.Popen" and str(arguments[0]).rpartition("/")[2] in SHELLS:
            seen.append(f"{arguments[0]} {arguments[1]}")


def test_hostile_titles_and_addresses_reach_no_shell(server: Any, tone: Tone) -> None:
    sys.addaudithook(_spy)  # for ever, so it only looks while it is asked to
    titles = ["$(touch pwned)", "`touch pwned`", "; touch pwned #", "| touch pwned", "-rf ../*"]
    songs = [
        (title, server.add(f"/{number}/$(touch%20pwned);x.wav", tone(100 + number)))
        for number, title in enumerate(titles)
    ]
    _started[0] = started = []
    try:
        subprocess.run("true", shell=True, check=True)
        assert len(started) == 1, "the spy sees a shell"
        started.clear()
        for entry in list_entries(server.feed("/feed", songs), LOCAL, QUICK, None):
            fetch(entry.url, entry.item, LOCAL, QUICK)
    finally:
        _started[0] = None
    assert started == []


# --- pages without end ----------------------------------------------------------------------


def page(server: Any, body: bytes, **headers: str) -> str:
    url: str = server.add("/list.html", body, "text/html", headers=headers)
    with pytest.raises(FetchError) as caught:
        list_entries(url, Access(allow_private=True), QUICK, None)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def test_a_page_that_is_too_long_is_given_up(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LARGEST", 500_000)
    assert "a page of more than 0.5 MB" in page(server, b"<html>" + b"a" * 3_000_000)
    assert "a page of more" not in page(server, b"<html>" + b"a" * 100_000)


@pytest.mark.parametrize(("encoding", "bits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_a_body_that_unpacks_to_far_more_is_given_up(
    server: Any, encoding: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LARGEST", 500_000)
    bomb = zlib.compress(b"<html>" + b" " * 50_000_000, wbits=bits)
    assert len(bomb) < 100_000
    assert "a page of more" in page(server, bomb, **{"Content-Encoding": encoding})
    for others in ("gzip, gzip", "br", "zstd"):
        assert "not asked for" in page(server, bomb, **{"Content-Encoding": others})


def test_a_packed_feed_is_read(server: Any, tone: Tone) -> None:
    song = server.add("/s.wav", tone(440))
    server.feed("/feed.xml", [("Song", song)])
    body = server.pages["/feed.xml"].body
    packed = {"Content-Encoding": "gzip"}
    url = server.add("/packed", zlib.compress(body, wbits=31), "text/xml", headers=packed)
    (entry,) = list_entries(url, Access(allow_private=True), QUICK, None)
    assert entry.url == song


def test_a_page_that_drips_is_given_up(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LONGEST", -1.0)
    assert "takes longer" in page(server, b"<html>" + b"a" * 200_000)


def test_names_of_variables_in_a_path_are_names(
    server: Any, tone: Tone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "$HOME %(id)s ~ %d"
    odd.mkdir()
    monkeypatch.chdir(odd)
    monkeypatch.setenv("DVC_ROOT", str(odd))
    got = fetch(server.add("/s.wav", tone(440)), None, Access(allow_private=True), QUICK)
    assert got.path.is_relative_to(odd) and got.path.is_file()
    assert {path.name for path in odd.iterdir()} == {".cache"}
