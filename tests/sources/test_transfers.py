"""Many transfers at once: within the limits, with the same result, and polite to busy servers."""

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from melodygan.pipeline import UserError
from melodygan.sources import hosts
from melodygan.sources.hosts import Hosts
from melodygan.sources.remote import fetch
from melodygan.sources.store import DiskFull, store_root
from melodygan.sources.transfers import DownloadParams, side_by_side
from melodygan.sources.ytdlp import Access, FetchError, Patience

Tone = Callable[..., bytes]
pytestmark = pytest.mark.usefixtures("repository")


def limits(connections: int, per_host: int) -> DownloadParams:
    return DownloadParams("fail", connections, per_host)


# --- the crew -------------------------------------------------------------------------------


@pytest.mark.parametrize(("connections", "per_host"), [(1, 1), (3, 1), (4, 2), (5, 9)])
def test_no_more_jobs_run_than_allowed_and_results_keep_their_order(
    connections: int, per_host: int
) -> None:
    lock, running, most = threading.Lock(), {"a": 0, "b": 0}, {"a": 0, "b": 0, "": 0}

    def work(job: tuple[str, int]) -> int:
        host, number = job
        with lock:
            running[host] += 1
            most[host] = max(most[host], running[host])
            most[""] = max(most[""], sum(running.values()))
        time.sleep(0.002 * (number % 3))
        with lock:
            running[host] -= 1
        return number

    jobs = [("ab"[number % 5 == 0], number) for number in range(40)]
    results = side_by_side(jobs, work, lambda j: f"http://{j[0]}/x", limits(connections, per_host))
    assert results == list(range(40))
    assert most[""] <= connections and max(most["a"], most["b"]) <= per_host


def test_as_many_jobs_run_as_allowed_though_one_host_has_most_of_them() -> None:
    meeting = threading.Barrier(3)  # nobody goes on before two of `a` and one of `b` are here

    def work(host: str) -> int:
        return meeting.wait(30) and 0

    jobs = ["a", "a", "a", "a", "b", "b"]
    assert side_by_side(jobs, work, lambda h: f"http://{h}/", limits(3, 2)) == [0] * 6


def test_a_users_error_stops_nothing_but_a_bug_or_a_full_disk_does() -> None:
    def work(job: int | Exception) -> int:
        if isinstance(job, Exception):
            raise job
        done.append(job)
        return job

    for fatal in (None, DiskFull("full"), KeyError("bug")):
        done: list[int] = []
        jobs: list[int | Exception] = [1, UserError("no"), 2, fatal or 3, 4]
        if fatal is None:
            results = side_by_side(jobs, work, lambda _: None, limits(1, 1))
            assert [str(r) for r in results] == ["1", "no", "2", "3", "4"]
        else:
            with pytest.raises(type(fatal)):
                side_by_side(jobs, work, lambda _: None, limits(1, 1))
            assert done == [1, 2]
    assert side_by_side([], work, lambda _: None, limits(4, 2)) == []


# --- lock and download ----------------------------------------------------------------------


def addresses(server: Any, tone: Tone, count: int = 6, **page: Any) -> list[str]:
    """Songs, every other one at another name of the same server."""
    urls = [server.add(f"/{n}.wav", tone(100 + n), **page) for n in range(count)]
    return [u.replace("127.0.0.1", "localhost") if n % 2 else u for n, u in enumerate(urls)]


def test_a_lock_and_a_download_use_several_connections_and_spare_each_host(
    server: Any, tone: Tone, project: Any
) -> None:
    project.params = limits(3, 2)
    urls = addresses(server, tone, 6)
    for run in (
        lambda: project.lock(*({"url": url, "allow_private": True} for url in urls)),
        project.download,
    ):
        server.busiest.clear()
        meet = threading.Barrier(2)
        for path in ("/0.wav", "/1.wav"):  # answered when both have been asked for
            server.pages[path].meet = meet
        run()
        shutil.rmtree(store_root())
        assert 2 <= server.busiest[""] <= 3
        assert max(server.busiest["127.0.0.1"], server.busiest["localhost"]) <= 2


def test_the_result_does_not_depend_on_the_number_of_connections(
    server: Any, tone: Tone, project: Any
) -> None:
    urls = addresses(server, tone, 5)
    feed = server.feed("/feed", [(f"Song {n}", url) for n, url in enumerate(urls)])
    sources = [
        {"url": urls[3], "label": "b", "allow_private": True},
        {"url": feed, "label": "a", "allow_private": True},
        {"url": urls[0], "label": "a", "allow_private": True},
    ]
    seen = []
    for connections in (1, 4):
        project.params = limits(connections, connections)
        assert project.lock(*sources).left_out == 2
        assert server.requests["/3.wav"] == 3, "listed, probed, fetched: once"
        server.requests.clear()
        project.download()
        files = {path: path.read_bytes() for path in project.raw.rglob("*.*")}
        seen.append((project.lock_file.read_bytes(), files))
        shutil.rmtree(store_root())
        project.lock_file.unlink()
    assert seen[0] == seen[1] and len(seen[0][1]) == 7


def test_all_failures_are_told_and_what_was_fetched_is_kept(
    server: Any, tone: Tone, project: Any
) -> None:
    urls = addresses(server, tone, 6)
    project.lock(*({"url": url, "allow_private": True} for url in urls))
    shutil.rmtree(store_root())
    lost = {f"/{n}.wav": server.pages.pop(f"/{n}.wav") for n in (0, 1, 3, 4)}
    with pytest.raises(
        UserError, match=r"4 of 6 tracks could not be had: .*; and 1 more"
    ) as caught:
        project.download()
    assert str(caught.value).count("HTTP Error 404") == 3 and "\n" not in str(caught.value)
    assert not project.raw.exists() and not Path("data/raw.tmp").exists()
    server.pages.update(lost)
    server.requests.clear()
    assert len(project.download()) == 6
    assert server.requests.keys() == lost.keys()


def test_all_sources_that_fail_are_told_and_the_others_are_not_fetched_again(
    server: Any, tone: Tone, project: Any
) -> None:
    good = {"url": server.add("/good.wav", tone(440)), "allow_private": True}
    bad = [{"url": f"{server.address}/{n}", "allow_private": True} for n in range(2)]
    with pytest.raises(UserError, match=r"2 of 3 sources.*entry 1: .*404.*entry 3: .*404"):
        project.lock(bad[0], good, bad[1])
    assert not project.lock_file.exists()
    server.requests.clear()
    assert project.lock(good).total == 1
    assert server.requests["/good.wav"] <= 1  # looked at, not fetched


# --- busy servers ---------------------------------------------------------------------------


def test_a_busy_server_is_not_asked_by_anyone_before_the_time_it_names(
    server: Any, tone: Tone, project: Any
) -> None:
    urls = [server.add(f"/{n}.wav", tone(100 + n)) for n in range(3)]
    page = server.pages["/0.wav"]
    page.fault, page.status, page.faults = "status", 429, 1
    page.headers = {"Retry-After": "1"}
    project.params = limits(1, 1)
    assert project.lock(*({"url": url, "allow_private": True} for url in urls)).total == 3
    assert server.log[1][0] - server.log[0][0] >= 0.95


def test_a_server_that_stays_busy_is_left_alone(server: Any, tone: Tone, project: Any) -> None:
    urls = [server.add(f"/{n}.wav", b"", fault="status", status=503) for n in range(14)]
    with pytest.raises(UserError, match="14 of 14 sources"):
        project.lock(*({"url": url, "allow_private": True} for url in urls))
    assert len(server.log) <= 8 + 2  # the limit, and who was on the way


def test_a_download_that_is_refused_half_way_waits_too(server: Any, tone: Tone) -> None:
    page_url = server.add("/s.wav", tone(440), fault="truncate", faults=3, ranges=True)
    patience = Patience(socket_timeout=0.5, retries=3, tries=2, pause=0.01)
    server.pages["/s.wav"].headers = {"ETag": '"1"'}
    assert fetch(page_url, None, Access(allow_private=True), patience).size == len(tone(440))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time for `hosts`, which passes only while it sleeps: [now, sleeps...]."""
    now = [1000.0]

    class Time:
        monotonic = time = staticmethod(lambda: now[0])

        @staticmethod
        def sleep(seconds: float) -> None:
            now.append(seconds)
            now[0] += seconds

    monkeypatch.setattr(hosts, "time", Time)
    return now


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("86400", 120.0),
        ("Thu, 01 Jan 1970 00:17:10 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (None, 2.0),
        ("soon", 2.0),
        ("-5", 2.0),
        ("٣", 3.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_capped(
    clock: list[float], header: str | None, seconds: float
) -> None:
    server = Hosts()
    assert server.too_busy("a", header, 2.0) == pytest.approx(seconds)
    server.wait("b")
    assert clock == [1000.0], "other hosts do not wait"
    server.wait("a")
    assert clock[0] == pytest.approx(1000.0 + seconds)


def test_pauses_double_until_the_server_answers(clock: list[float]) -> None:
    server = Hosts()
    assert [server.too_busy("a", None, 2.0) for _ in range(8)] == [2, 4, 8, 16, 32, 64, 120, 120]
    assert server.is_lost("a") and not server.is_lost("b")
    server.answered("a")
    assert not server.is_lost("a") and server.too_busy("a", None, 2.0) == 2


def test_the_error_of_a_busy_server_is_one_line(server: Any) -> None:
    url = server.add("/s", b"", fault="status", status=503, headers={"Retry-After": "0"})
    patience = replace(Patience(socket_timeout=0.5, retries=0, tries=20, pause=0.0))
    with pytest.raises(FetchError, match="try again later") as caught:
        fetch(url, None, Access(allow_private=True), patience)
    assert "\n" not in str(caught.value)
