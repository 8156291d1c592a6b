"""Downloads that break off: the next run goes on with what came, unless it has changed."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from melodygan.sources.remote import fetch, fetch_locked
from melodygan.sources.store import contents, keep, store_root, sweep, take, workspace
from melodygan.sources.ytdlp import Access, FetchError, Patience

LOCAL = Access(allow_private=True)
QUICK = Patience(socket_timeout=0.5, retries=0, tries=1, pause=0.01)
DAY = 86400.0
Tone = Callable[..., bytes]
pytestmark = pytest.mark.usefixtures("repository")


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def parts() -> list[str]:
    """What partial downloads consist of."""
    return [path.name for folder in store_root().glob("*.part") for path in contents(folder)]


def break_off(server: Any, body: bytes, **headers: str) -> str:
    """A download of which half has come; its address, with a server that now serves it well."""
    url: str = server.add("/s.wav", body, fault="truncate", headers=headers)
    with pytest.raises(FetchError):
        fetch(url, None, LOCAL, QUICK)
    assert "body.part" in parts() and {path.suffix for path in store_root().iterdir()} == {".part"}
    server.add("/s.wav", body, ranges=True, headers=headers)
    server.log.clear()
    return url


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {"Last-Modified": "x"}])
def test_only_the_rest_of_the_same_version_is_fetched(
    server: Any, tone: Tone, headers: dict[str, str]
) -> None:
    body = tone(440, 20.0)
    url = break_off(server, body, **headers)
    assert fetch(url, None, LOCAL, QUICK).path.read_bytes() == body
    (asked,) = server.ranges
    assert 0 < int(asked.removeprefix("bytes=").removesuffix("-")) <= len(body) // 2
    assert not parts()


@pytest.mark.parametrize("etag", ['"2"', None])
@pytest.mark.parametrize("expected", [True, False])
@pytest.mark.parametrize("seconds", [20.0, 1.0])
def test_another_version_is_fetched_from_its_start(
    server: Any, tone: Tone, etag: str | None, expected: bool, seconds: float
) -> None:
    url = break_off(server, tone(440, 20.0), ETag='"1"')
    new = tone(880, seconds)  # as long, and shorter than what has come
    headers = {"ETag": etag} if etag else {}
    server.add("/s.wav", new, ranges=True, headers=headers)
    if expected:
        assert fetch_locked(url, None, LOCAL, QUICK, digest(new)).read_bytes() == new
    else:
        assert fetch(url, None, LOCAL, QUICK).path.read_bytes() == new
    assert [path.name for path in store_root().iterdir()] == [digest(new)]


def test_without_a_version_a_lock_starts_over(server: Any, tone: Tone) -> None:
    url = break_off(server, tone(440, 20.0))
    server.pages["/s.wav"].body = new = tone(880, 20.0)
    assert fetch(url, None, LOCAL, QUICK).path.read_bytes() == new
    assert not server.ranges


def test_without_a_version_a_locked_file_is_gone_on_with_and_judged_by_its_hash(
    server: Any, tone: Tone
) -> None:
    body, new = tone(440, 20.0), tone(880, 20.0)
    url = break_off(server, body)
    assert fetch_locked(url, None, LOCAL, QUICK, digest(body)).read_bytes() == body
    assert len(server.ranges) == 1
    Path(store_root() / digest(body)).unlink()
    url = break_off(server, body)
    server.pages["/s.wav"].body = new  # the rest of this one makes a mixture
    assert fetch_locked(url, None, LOCAL, QUICK, digest(new)).read_bytes() == new
    assert len(server.ranges) == 1
    assert [path.name for path in store_root().iterdir()] == [digest(new)]


def test_a_server_that_dislikes_ranges_is_asked_for_the_whole(server: Any, tone: Tone) -> None:
    body = tone(440, 20.0)
    for ranges in (False, True):
        url = break_off(server, body, ETag='"1"')
        server.pages["/s.wav"].ranges = ranges
        if ranges:  # longer than the server's: status 416
            (partial,) = store_root().glob("*.part/body.part")
            partial.write_bytes(body + b"more")
        assert fetch(url, None, LOCAL, QUICK).path.read_bytes() == body
        assert len(server.ranges) == 1
        (store_root() / digest(body)).unlink()


@pytest.mark.parametrize("name", ["body", "body.ytdl", "body.part-Frag3", "body.part"])
def test_strange_leftovers_do_no_harm(server: Any, tone: Tone, name: str) -> None:
    body = tone(440)
    url = break_off(server, body, ETag='"1"')
    (partial,) = store_root().glob("*.part/body.part")
    partial.with_name(name).write_bytes(b"\x00junk")
    assert fetch_locked(url, None, LOCAL, QUICK, digest(body)).read_bytes() == body
    assert [path.name for path in store_root().iterdir()] == [digest(body)]


_LOCK = """
import sys
from pathlib import Path
from melodygan.sources.lock import lock
from melodygan.sources.transfers import DownloadParams
lock(Path("data/sources.yaml"), Path("data/sources.lock.yaml"), None,
     DownloadParams("fail", connections=4, per_host=2))
"""


def filled(path: Path) -> bool:
    """Whether a file is there, and its first line too."""
    return path.exists() and path.stat().st_size > 0


def test_a_killed_lock_leaves_nothing_that_looks_whole_and_the_next_one_goes_on(
    server: Any, tone: Tone, project: Any
) -> None:
    body, other = tone(440, 60.0), tone(220)
    version = {"ETag": '"1"'}
    urls = [server.add("/b.wav", body, fault="hold", headers=version), server.add("/a.wav", other)]
    project.sources.parent.mkdir()
    sources = [{"url": url, "allow_private": True} for url in urls]
    project.sources.write_text(f"sources: {sources}".replace("True", "true"))
    process = subprocess.Popen([sys.executable, "-c", _LOCK])
    try:
        deadline = time.monotonic() + 60
        ready = (store_root() / "unfinished-lock.jsonl", store_root() / digest(other))
        while not (any(store_root().glob("*.part/body.part")) and all(map(filled, ready))):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert not project.lock_file.exists()
    whole = {path.name for path in store_root().iterdir() if path.is_file()}
    assert whole <= {digest(other), "unfinished-lock.jsonl"}
    server.add("/b.wav", body, ranges=True, headers=version)
    stray = project.lock_file.with_name(f"{project.lock_file.name}.123.tmp")
    stray.write_text("cut")
    os.utime(stray, (0, 0))
    server.requests.clear()
    server.log.clear()
    assert project.lock().total == 2
    assert len(server.ranges) == 1 and server.requests["/a.wav"] == 1, "only looked at"
    assert {path.name for path in store_root().iterdir()} == {digest(body), digest(other)}
    assert not stray.exists()
    assert {row["sha256"] for row in project.download()} == {digest(body), digest(other)}


# --- the store ------------------------------------------------------------------------------


def test_a_workspace_has_one_user_at_a_time_even_if_it_vanishes_in_between() -> None:
    inside, most, times = [0], [0], [0]
    lock = threading.Lock()

    def use() -> None:
        for _ in range(20):
            with workspace("x.part") as folder:
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    times[0] += 1
                (folder / "body").write_bytes(b"1")
                (folder / "body").unlink()
                with lock:
                    inside[0] -= 1

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most[0], times[0]) == (1, 80)
    assert not list(store_root().iterdir())


def test_another_process_waits_and_takes_what_the_first_one_fetched(
    server: Any, tone: Tone
) -> None:
    body = tone(440)
    url = server.add("/s.wav", body)
    fetched: list[Path] = []

    def locked() -> None:
        fetched.append(fetch_locked(url, None, LOCAL, QUICK, digest(body)))

    threads = [threading.Thread(target=locked) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in fetched] == [body] * 4
    assert server.requests["/s.wav"] == 2, "probed and fetched once"


def test_strays_are_swept_unless_someone_works_in_them_or_may_go_on() -> None:
    for name in ("copy.tmp", "fresh.part", "stale.part", "used.tmp", "used.part"):
        folder = store_root() / name
        folder.mkdir()
        (folder / "body.part").write_bytes(b"x")
        if name != "fresh.part":
            for path in (folder / "body.part", folder):
                os.utime(path, (time.time() - 8 * DAY,) * 2)
    with workspace("used.tmp"), workspace("used.part"):
        sweep()
    left = {path.name for path in store_root().iterdir()}
    assert left == {"fresh.part", "used.tmp", "used.part"}


def test_a_damaged_file_is_removed_while_it_is_taken(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"music" * 500_000)
    sha256 = digest(source.read_bytes())
    assert not take(sha256, target)
    keep(source, sha256)
    assert take(sha256, target) and target.read_bytes() == source.read_bytes()
    (store_root() / sha256).write_bytes(b"rotten")
    assert not take(sha256, target) and not target.exists()
    assert not list(store_root().iterdir())
