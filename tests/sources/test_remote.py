"""Downloads from a server that misbehaves: whole, checked bytes in the store, or one line why."""

import hashlib
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from melodygan.sources import remote
from melodygan.sources.network import _is_private, watch
from melodygan.sources.remote import fetch, fetch_locked, list_entries
from melodygan.sources.store import get, store_root
from melodygan.sources.ytdlp import Access, FetchError, Patience

LOCAL = Access(allow_private=True)
QUICK = Patience(socket_timeout=0.5, retries=1, tries=2, pause=0.01)
pytestmark = pytest.mark.usefixtures("repository")
Tone = Callable[..., bytes]


def failure(url: str, patience: Patience = QUICK, **options: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, None, LOCAL, patience, **options)
    assert "\n" not in str(caught.value)
    left = [path.suffix for path in store_root().iterdir()]
    assert set(left) <= {".part"}, "something that looks complete was left in the store"
    return caught.value


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_a_good_file_arrives_unchanged_with_its_hash_and_duration(
    server: Any, tone: Tone, kind: str
) -> None:
    subtype = {"OGG": "VORBIS"}.get(kind, "PCM_16")
    body = tone(440, 0.5, kind, subtype)
    url = server.add(f"/a/song.{kind.lower()}", body, f"audio/{kind.lower()}")
    fetched = fetch(url, None, LOCAL, QUICK)
    assert fetched.path.read_bytes() == body
    assert fetched.sha256 == hashlib.sha256(body).hexdigest()
    assert fetched.size == len(body)
    assert fetched.seconds == pytest.approx(0.5, abs=0.02)
    assert fetched.suffix == f".{kind.lower()}"
    assert get(fetched.sha256) == fetched.path


@pytest.mark.parametrize(
    "path", ["/song", "/song.php?id=3", "/%2e%2e%2fetc%2fpasswd.wav", "/a;b|c"]
)
def test_odd_addresses_do_not_reach_file_names(server: Any, tone: Tone, path: str) -> None:
    fetched = fetch(server.add(path, tone(440)), None, LOCAL, QUICK)
    assert fetched.path.parent == store_root()
    assert re.fullmatch(r"[0-9a-f]{64}", fetched.path.name)
    assert re.fullmatch(r"\.[a-z0-9]{1,14}", fetched.suffix)


def test_a_body_without_a_length_is_taken(server: Any, tone: Tone) -> None:
    url = server.add("/s.wav", tone(440), fault="no_length")
    assert fetch(url, None, LOCAL, QUICK).path.read_bytes() == tone(440)


def test_two_failures_are_forgiven(server: Any, tone: Tone) -> None:
    url = server.add("/s.wav", tone(440), fault="status", status=503, faults=2)
    patience = Patience(socket_timeout=0.5, retries=0, tries=3, pause=0.01)
    assert fetch(url, None, LOCAL, patience).path.read_bytes() == tone(440)


def test_a_missing_page_is_asked_for_once(server: Any) -> None:
    assert "404" in failure(server.address + "/gone.wav").reason
    assert server.requests["/gone.wav"] == 1


def test_a_stalled_server_is_given_up(server: Any, tone: Tone) -> None:
    patience = Patience(socket_timeout=0.2, retries=0, tries=2, pause=0.01)
    url = server.add("/s.wav", tone(440), fault="stall")
    assert "timed out" in failure(url, patience).reason
    assert server.requests["/s.wav"] == 2


def test_a_truncated_body_is_tried_again_and_refused(server: Any, tone: Tone) -> None:
    failure(server.add("/s.flac", tone(440, 1.0, "FLAC"), "audio/flac", fault="truncate"))
    assert server.requests["/s.flac"] >= 4  # two tries of a probe and a download


def test_a_body_truncated_once_arrives_whole(server: Any, tone: Tone) -> None:
    body = tone(440, 1.0, "FLAC")
    url = server.add("/s.flac", body, "audio/flac", fault="truncate", faults=2)
    assert fetch(url, None, LOCAL, QUICK).path.read_bytes() == body


def test_a_truncation_without_a_length_is_caught_by_decoding(server: Any, tone: Tone) -> None:
    url = server.add("/s.flac", tone(440, 2.0, "FLAC"), "audio/flac", fault="truncate_no_length")
    failure(url)


def test_a_truncation_without_a_length_is_caught_by_the_locked_hash(
    server: Any, tone: Tone
) -> None:
    body = tone(440, 1.0)
    url = server.add("/s.wav", body, fault="truncate_no_length", faults=2)
    expected = hashlib.sha256(body).hexdigest()
    assert fetch_locked(url, None, LOCAL, QUICK, expected).read_bytes() == body


@pytest.mark.parametrize("content_type", ["audio/mpeg", "text/html"])
def test_a_web_page_is_no_song(server: Any, content_type: str) -> None:
    page = (
        b"<!DOCTYPE html><html><title>Log in</title><body>" + b"please " * 200 + b"</body></html>"
    )
    failure(server.add("/song.mp3", page, content_type))


def test_the_reason_says_that_a_web_page_came(server: Any) -> None:
    url = server.add("/song.mp3", b"<html>log in</html>" * 50, "audio/mpeg")
    assert "web page" in failure(url).reason


@pytest.mark.parametrize("body", [b"", b"\x00" * 2000])
def test_nothing_and_noughts_are_no_songs(server: Any, body: bytes) -> None:
    failure(server.add("/song.mp3", body, "audio/mpeg"))


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"slowest": 1e12, "grace": 0.0}, "slower than"), ({"largest": 1000.0}, "larger than")],
)
def test_a_transfer_without_end_is_ended(
    server: Any, tone: Tone, limits: dict[str, float], words: str
) -> None:
    url = server.add("/s.wav", tone(440, 20.0))
    assert words in failure(url, replace(QUICK, **limits)).reason
    assert server.requests["/s.wav"] <= 2, "no second try"
    assert fetch(url, None, LOCAL, QUICK).seconds == 20.0


def test_what_max_minutes_allows_bounds_the_size(
    server: Any, tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PICTURES", 0.0)
    monkeypatch.setattr(remote, "_VIDEO", 1000.0)
    url = server.add("/s.wav", tone(440, 20.0))
    assert "larger than" in failure(url, max_minutes=1.0).reason
    assert not list(store_root().glob("*/body*")), "it does not stay"


def test_a_song_longer_than_allowed_is_refused_at_once(server: Any, tone: Tone) -> None:
    url = server.add("/s.wav", tone(440, 2.0))
    assert "max_minutes" in failure(url, max_minutes=0.01).reason
    assert server.requests["/s.wav"] <= 2


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    assert "http" in failure(f"file://{tmp_path}/x.wav").reason
    assert "http" in failure("ytsearch:song").reason


def test_private_addresses_are_refused_by_number_and_by_name(server: Any, tone: Tone) -> None:
    url = server.add("/s.wav", tone(440))
    for address in (url, url.replace("127.0.0.1", "localhost")):
        with pytest.raises(FetchError, match="private address"):
            fetch(address, None, Access(), QUICK)
        with pytest.raises(FetchError, match="allow_private"):
            list_entries(address, Access(), QUICK, None)
    assert not server.requests


def test_the_watch_over_connections_ends_with_its_block(server: Any) -> None:
    target = server.address.removeprefix("http://").split(":")
    with watch() as refused, pytest.raises(OSError, match="private"):
        socket.create_connection((target[0], int(target[1])), timeout=1)
    assert len(refused) == 1 and "private address 127.0.0.1" in refused[0]
    socket.create_connection((target[0], int(target[1])), timeout=1).close()


def test_only_the_users_own_proxy_may_be_private(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    port = int(server.address.rpartition(":")[2])
    with watch():
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        with pytest.raises(OSError, match="private"):
            socket.create_connection(("127.0.0.1", port + 1), timeout=1)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001:db8::1",
        "2001:470::5efe:10.0.0.1",
        "fe80::1%lo",
        "fec0::1",
        "fd00::1",
        "ff02::1",
        "1::1",
    ],
)
def test_every_kind_of_private_address_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        watch(),
        socket.socket(family, socket.SOCK_STREAM) as connection,
        pytest.raises(OSError, match="private"),
    ):
        connection.connect((host, 80))


@pytest.mark.parametrize("host", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_are_not_refused(host: str) -> None:
    assert not _is_private(host)


@pytest.mark.parametrize("host", ["10.1.2.3", "0x0a010203", "167838211", "localhost", "[fec0::1]"])
def test_a_proxy_is_not_asked_for_private_addresses(
    server: Any, tone: Tone, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(FetchError, match="proxy connect to the private address"):
        list_entries(f"http://{host}/secret.wav", Access(), QUICK, None)
    assert not server.requests


def test_a_redirect_through_a_proxy_into_a_private_network_is_refused(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setenv("no_proxy", "")
    with watch() as refused, pytest.raises(OSError, match="refused"):
        sys.audit("urllib.Request", "http://192.168.0.1/", None, {}, "GET")
    assert "192.168.0.1" in refused[0]


def test_only_the_allowed_extractors_run(server: Any, tone: Tone) -> None:
    url = server.add("/s.wav", tone(440))
    with pytest.raises(FetchError):
        fetch(url, None, Access(allow_private=True, extractors=["youtube"]), QUICK)
    assert fetch(url, None, Access(allow_private=True, extractors=["generic"]), QUICK).size


def test_enclosures_of_a_feed_are_entries(server: Any, tone: Tone) -> None:
    songs = [(f"Song {i}", server.add(f"/{i}/s.wav", tone(100 * i))) for i in (1, 2, 3)]
    feed = server.feed("/feed.xml", songs)
    entries = list_entries(feed, LOCAL, QUICK, None)
    assert [(e.title, e.url, e.item) for e in entries] == [(t, u, None) for t, u in songs]
    assert len(list_entries(feed, LOCAL, QUICK, 2)) == 2
    bodies = [fetch(e.url, e.item, LOCAL, QUICK).path.read_bytes() for e in entries]
    assert bodies == [tone(100), tone(200), tone(300)]  # though all are called s.wav


def test_entries_embedded_in_a_page_are_told_apart(server: Any, tone: Tone) -> None:
    server.add("/a/s.wav", tone(100))
    server.add("/b/s.wav", tone(200))
    page = (
        b"<html><title>t</title><audio src='/a/s.wav'></audio><audio src='/b/s.wav'></audio></html>"
    )
    url = server.add("/page", page, "text/html")
    entries = list_entries(url, LOCAL, QUICK, None)
    assert len({e.item for e in entries}) == 2
    bodies = [fetch(e.url, e.item, LOCAL, QUICK).path.read_bytes() for e in entries]
    assert bodies == [tone(100), tone(200)]
    server.add("/page", b"<html><audio src='/c/s.wav'></audio></html>", "text/html")
    with pytest.raises(FetchError, match="no entry"):
        fetch(url, entries[1].item, LOCAL, QUICK)


def test_titles_from_outside_are_cleaned(server: Any, tone: Tone) -> None:
    url = server.add("/s.wav", tone(440))
    titles = [
        "x" * 400,
        "../../etc/passwd",
        "a\nb\x07c",
        "\u202egnp.exe",
        "$(rm -rf ~); `x` %(id)s",
    ]
    feed = server.feed("/feed.xml", [(title, url) for title in titles if "\x07" not in title])
    shown = [e.title for e in list_entries(feed, LOCAL, QUICK, None)]
    assert shown == ["x" * 200, "../../etc/passwd", "gnp.exe", "$(rm -rf ~); `x` %(id)s"]
