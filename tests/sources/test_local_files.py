"""Files of local folders: each is read once, and none takes `melodygan lock` along."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import melodygan.sources.resolver
from melodygan.pipeline.child import close_all
from melodygan.pipeline.errors import UserError
from melodygan.sources import probing
from melodygan.sources.lockfile import read_lock

Tone = Callable[..., bytes]
FOLDER = {"folder": "music"}
DECODER = """
import os, signal, time

class SoundFileError(Exception):
    pass

class SoundFile:
    def __init__(self, file):
        body = file.read()
        if body.endswith(b"crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if body.endswith(b"hang"):
            time.sleep(60)
        raise SoundFileError  # FFmpeg is asked next
"""


def put(name: str, body: bytes, age: float = 100.0) -> None:
    """A file of the folder, last changed `age` seconds ago."""
    path = Path("music", name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)
    os.utime(path, (time.time() - age,) * 2)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read, as they come."""
    names: list[str] = []
    look = melodygan.sources.resolver._look_at

    def noted(file: Path) -> Any:
        names.append(file.name)
        return look(file)

    monkeypatch.setattr(melodygan.sources.resolver, "_look_at", noted)
    return names


def test_only_what_is_new_or_changed_is_read(project: Any, tone: Tone, read: list[str]) -> None:
    put("a.wav", tone(100))
    put("b.wav", tone(200))
    project.lock(FOLDER)
    before = project.lock_file.read_bytes()
    assert sorted(read) == ["a.wav", "b.wav"]
    project.lock()
    assert sorted(read) == ["a.wav", "b.wav"] and project.lock_file.read_bytes() == before
    put("b.wav", tone(300), age=50.0)
    put("c.wav", tone(400))
    project.lock()
    assert read[2:] == ["b.wav", "c.wav"]
    changed = {track.path: track.sha256 for track in read_lock(project.lock_file).tracks}
    (project.lock_file.parent.parent / ".cache/files.jsonl").unlink()
    project.lock()
    assert changed == {t.path: t.sha256 for t in read_lock(project.lock_file).tracks}


def test_a_file_that_may_still_be_written_is_read_again(
    project: Any, tone: Tone, read: list[str]
) -> None:
    put("a.wav", tone(100), age=0.0)
    project.lock(FOLDER)
    project.lock()
    assert read == ["a.wav", "a.wav"]


def test_a_change_that_hides_its_time_is_seen(project: Any, tone: Tone, read: list[str]) -> None:
    put("a.wav", tone(100))
    project.lock(FOLDER)
    before = Path("music/a.wav").stat()
    Path("music/a.wav").write_bytes(tone(200))
    os.utime("music/a.wav", ns=(before.st_atime_ns, before.st_mtime_ns))
    project.lock()
    assert read == ["a.wav", "a.wav"]


def test_a_lock_that_failed_or_was_killed_need_not_read_again(
    project: Any, tone: Tone, read: list[str]
) -> None:
    put("a.wav", tone(100))
    with pytest.raises(UserError, match="not found"):
        project.lock(FOLDER, {"folder": "nowhere"})
    with Path(".cache/files.jsonl").open("ab") as file:
        file.write(b'["music/b.wav", 123, 4')  # cut by a kill
    project.lock(FOLDER)
    assert read == ["a.wav"]


@pytest.mark.parametrize(
    "line", [b"5", b"null", b"{}", b'["a"]', b"\xff", b'[[1], 2, 3, 4, 5, "6", 7.0]', b"[" * 9999]
)
def test_what_is_no_line_of_facts_is_no_hindrance(project: Any, tone: Tone, line: bytes) -> None:
    put("a.wav", tone(100))
    Path(".cache").mkdir()
    Path(".cache/files.jsonl").write_bytes(line)
    assert project.lock(FOLDER).total == 1
    assert line not in Path(".cache/files.jsonl").read_bytes().splitlines()


def test_a_line_with_a_wrong_bit_is_no_line(project: Any, tone: Tone, read: list[str]) -> None:
    """A wrong hash would go into the lock, and `melodygan lock`, the remedy, would not mend it."""
    put("a.wav", tone(100))
    project.lock(FOLDER)
    before, known = project.lock_file.read_bytes(), Path(".cache/files.jsonl")
    (sha256,) = {track.sha256 for track in read_lock(project.lock_file).tracks}
    wrong = ("1" if sha256[9] == "0" else "0").join([sha256[:9], sha256[10:]])
    known.write_text(known.read_text().replace(sha256, wrong))
    project.lock()
    assert read == ["a.wav", "a.wav"] and project.lock_file.read_bytes() == before


@pytest.fixture
def fragile_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A soundfile for child processes that does not survive certain bytes."""
    (tmp_path / "soundfile.py").write_text(DECODER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(probing, "_SECONDS", 3.0)
    close_all()  # none that has the real one already
    yield
    close_all()


@pytest.mark.usefixtures("fragile_decoder")
def test_a_file_that_crashes_or_hangs_the_decoder_is_locked_without_a_length(
    project: Any, tone: Tone
) -> None:
    for number, name in enumerate(("a", "crash", "hang", "z")):
        put(f"{name}.wav", tone(100 * (number + 1)) + name.encode())
    project.lock(FOLDER)
    lengths = {track.title: track.duration for track in read_lock(project.lock_file).tracks}
    assert lengths.pop("crash") is None and lengths.pop("hang") is None
    assert lengths == {"a": lengths["z"], "z": lengths["z"]} and lengths["z"] > 0.1


@pytest.mark.usefixtures("fragile_decoder")
def test_a_download_that_crashes_the_decoder_is_one_line(
    project: Any, server: Any, tone: Tone
) -> None:
    put("a.wav", tone(100))
    url = server.add("/song.wav", tone(200) + b"crash")
    with pytest.raises(UserError, match=r"gave no track.*crashed its process"):
        project.lock({"url": url, "allow_private": True}, FOLDER)
    project.lock(FOLDER)
    assert [track.title for track in read_lock(project.lock_file).tracks] == ["a"]
