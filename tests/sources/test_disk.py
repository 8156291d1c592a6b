"""A disk that fills up: one line that names the place, nothing half-written, and the way on."""

import errno
import hashlib
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from melodygan.pipeline import UserError
from melodygan.sources.journal import Journal
from melodygan.sources.remote import fetch
from melodygan.sources.store import DiskFull, disk_full, store_root
from melodygan.sources.ytdlp import Access, Patience

QUICK = Patience(socket_timeout=0.5, retries=0, tries=2, pause=0.01)
Tone = Callable[..., bytes]
pytestmark = pytest.mark.usefixtures("repository")


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Within the block writing beyond `size` bytes of any file fails with EFBIG.

    Python would keep what it can of a library's bytecode, and believe it ever after.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # Python ignores SIGXFSZ
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = writes


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def expect_full(place: str, run: Callable[[], Any]) -> None:
    with pytest.raises(DiskFull) as caught:
        run()
    message = str(caught.value)
    assert place in message and "make room" in message and "\n" not in message


def whole() -> set[str]:
    """What counts as complete in the store."""
    return {path.name for path in store_root().iterdir() if path.is_file()}


def test_full_in_the_middle_of_a_download(server: Any, tone: Tone, project: Any) -> None:
    body, small = tone(440, 60.0), tone(220)
    urls = [server.add("/small.wav", small), server.add("/big.wav", body)]
    sources = [{"url": url, "allow_private": True} for url in urls]
    with no_file_above(300_000):
        expect_full(".part", lambda: project.lock(*sources))
        assert whole() <= {digest(small), "unfinished-lock.jsonl"}
        assert not project.lock_file.exists()
    assert project.lock().total == 2
    shutil.rmtree(store_root())
    with no_file_above(300_000):
        expect_full(".part", project.download)
        assert whole() <= {digest(small)} and not project.raw.exists()
    assert {row["sha256"] for row in project.download()} == {digest(body), digest(small)}


def test_full_in_the_middle_of_a_copy(server: Any, tone: Tone, project: Any) -> None:
    body = tone(440, 60.0)
    Path("music").mkdir()
    Path("music/a.wav").write_bytes(tone(220, 60.0))
    for source in (
        {"url": server.add("/s.wav", body), "allow_private": True},
        {"folder": "music"},
    ):
        project.lock(source)
        stored = whole()
        with no_file_above(100_000):
            expect_full("data/raw.tmp/", project.download)
        assert not Path("data/raw.tmp").exists() and whole() == stored
        assert project.download()


def test_full_in_the_middle_of_the_lock_file(tone: Tone, project: Any) -> None:
    Path("music").mkdir()
    Path("music/0.wav").write_bytes(tone(100))
    project.lock({"folder": "music"})
    before = project.lock_file.read_bytes()
    for number in range(1, 30):
        Path(f"music/{number}.wav").write_bytes(tone(100 + number))
    with no_file_above(4_000):
        expect_full("sources.lock.yaml", project.lock)
    assert project.lock_file.read_bytes() == before
    assert {path.name for path in Path("data").iterdir()} == {"sources.yaml", "sources.lock.yaml"}
    assert project.lock().total == 30


def test_a_journal_that_was_cut_keeps_the_lines_before_and_after() -> None:
    journal = Journal()
    journal.add(("url", "a", None), {"title": "a"})
    with no_file_above(60), pytest.raises(DiskFull, match=r"unfinished-lock\.jsonl"):
        journal.add(("url", "b", None), {"title": "b" * 100})
    Journal().add(("url", "c", None), {"title": "c"})
    facts = [Journal().get(("url", name, None)) for name in "abc"]
    assert facts == [{"title": "a"}, None, {"title": "c"}]


@pytest.fixture
def small_disk(repository: Path) -> Iterator[Path]:
    """A file system of 256 KiB that the store is on."""
    place = repository / ".cache"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(
    server: Any, tone: Tone, project: Any, small_disk: Path
) -> None:
    body = tone(440, 20.0)
    url = server.add("/big.wav", body, headers={"ETag": '"1"'}, ranges=True)
    sources = {"url": url, "allow_private": True}
    expect_full("No space left on device", lambda: project.lock(sources))
    assert whole() == set() and not project.lock_file.exists()
    grow = ["mount", "-o", "remount,size=4m", str(small_disk)]
    subprocess.run(grow, check=True)
    assert project.lock().total == 1
    assert server.ranges, "goes on with what had come"
    assert project.download()[0]["sha256"] == digest(body)


def test_other_errors_are_not_taken_for_a_full_disk(server: Any, tone: Tone) -> None:
    assert disk_full(PermissionError(errno.EACCES, "no"), Path("x")) is None
    assert disk_full(None, Path("x")) is None
    url = server.add("/s.wav", tone(440))
    with no_file_above(0), pytest.raises(UserError, match="File too large"):
        fetch(url, None, Access(allow_private=True), QUICK)
    assert whole() == set()
