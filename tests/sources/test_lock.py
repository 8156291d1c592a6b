"""`melodygan lock` and the download stage: the lock decides what the pipeline trains on."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from melodygan.pipeline import Stage, UserError
from melodygan.pipeline.files import read_rows
from melodygan.sources.config import read_sources, sources_digest
from melodygan.sources.lock import LockSummary, lock
from melodygan.sources.lockfile import read_lock
from melodygan.sources.raw import DownloadParams, write_raw
from melodygan.sources.store import store_root
from melodygan.sources.ytdlp import Patience

QUICK = Patience(socket_timeout=0.5, retries=0, tries=2, pause=0.01)
SOURCES, LOCK, RAW = Path("data/sources.yaml"), Path("data/sources.lock.yaml"), Path("data/raw")
PARAMS = DownloadParams("fail", connections=4, per_host=2)
ROOT = Path(__file__).parents[2]
Tone = Callable[..., bytes]

pytestmark = pytest.mark.usefixtures("repository")


def write_sources(*entries: dict[str, Any]) -> None:
    SOURCES.parent.mkdir(exist_ok=True)
    SOURCES.write_text(yaml.safe_dump({"sources": list(entries)}))


def relock(*entries: dict[str, Any]) -> LockSummary:
    write_sources(*entries)
    return lock(SOURCES, LOCK, QUICK, PARAMS)


def tracks() -> dict[str, tuple[str, int]]:
    return {track.title: (track.label, track.ordinal) for track in read_lock(LOCK).tracks}


def add(name: str, body: bytes) -> None:
    path = Path("music") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def download(on_drift: Literal["fail", "accept", "keep"] = "fail") -> list[dict[str, Any]]:
    Path("dvc.yaml").write_text("stages: {download: {cmd: x, deps: []}}")
    runtime = yaml.safe_load((ROOT / "params.yaml").read_text())["runtime"] | {"workers": 1}
    Path("params.yaml").write_text(yaml.safe_dump({"runtime": runtime}))
    params = replace(PARAMS, on_drift=on_drift)
    write_raw(Stage("download"), params, SOURCES, LOCK, RAW, QUICK)
    return read_rows(RAW / "index.jsonl")


FOLDER = {"folder": "music"}


# --- sources.yaml ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"url": "http://x/y", "lable": "a"}, r"unknown key sources\[1\]\.lable.*label"),
        ({"url": "http://x/y", "max_minutes": 0}, r"sources\[1\]\.max_minutes must be greater"),
        ({"url": "http://x/y", "max_entries": 1.5}, r"sources\[1\]\.max_entries must be a whole"),
        ({"url": "http://x/y", "start": 5, "end": 5}, r"sources\[1\]: end \(5 s\) must come after"),
        ({"url": "http://x/y", "label": "a/b"}, "label must not contain"),
        ({"url": "http://x/y", "label": " "}, "label must be"),
        ({"url": "http://x/y", "extractors": []}, "extractors is empty"),
        ({"url": "http://x/y", "extractors": ["("]}, "regular expression"),
        ({"url": "file:///etc/passwd"}, "http://"),
        ({"url": "ytsearch:song"}, "http://"),
        ({"url": "http://"}, "names no host"),
        ({"url": "http://[::1"}, "not an address"),
        ({"url": None}, r"sources\[1\]\.url must be text"),
        ({"folder": ""}, "folder is empty"),
        ({"folder": "a", "max_minutes": 3}, r"unknown key sources\[1\]\.max_minutes"),
        ({"demo": {"tracks": 0, "seconds": 20}}, r"sources\[1\]\.demo\.tracks must be at least 1"),
        ({"demo": {"tracks": 3}}, r"sources\[1\]\.demo\.seconds is missing"),
        ({"folder": "a", "url": "http://x/y"}, "exactly one of"),
        ({"demo": {"tracks": 10**12, "seconds": 5}}, r"demo\.tracks must be at most"),
        ({"folder": "a", "start": 1e305}, r"sources\[1\]\.start must be at most 86400"),
        ({"folder": "a", "end": 1e305}, r"sources\[1\]\.end must be at most 86400"),
        ({"folder": "a", "licence": "\ud800"}, "licence must be printable"),
        ({"label": "a"}, "exactly one of"),
        ("music", "exactly one of"),
    ],
)
def test_mistakes_in_sources_name_the_entry_and_the_key(entry: Any, words: str) -> None:
    write_sources(FOLDER, entry)
    with pytest.raises(UserError, match=words) as caught:
        read_sources(SOURCES)
    assert str(caught.value).startswith("data/sources.yaml, entry 2: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "sources: []", "sources: {}", "[]", "sources: [", "more: 1"])
def test_a_sources_file_without_sources_is_one_line(text: str) -> None:
    SOURCES.parent.mkdir()
    SOURCES.write_text(text)
    with pytest.raises(UserError) as caught:
        read_sources(SOURCES)
    assert "\n" not in str(caught.value) and "sources.yaml" in str(caught.value)


def test_comments_and_layout_of_sources_do_not_count_but_values_do() -> None:
    SOURCES.parent.mkdir()
    digests = []
    for text in ("folder: a", "{folder: 'a'}  # c", "{folder: a, label: null}", "folder: b"):
        SOURCES.write_text(f"sources:\n  - {text}\n")
        digests.append(sources_digest(read_sources(SOURCES)))
    assert digests[0] == digests[1] == digests[2] != digests[3]


# --- ordinals -------------------------------------------------------------------------------


def test_ordinals_stay_when_tracks_come_and_go_and_are_never_given_twice(tone: Tone) -> None:
    for name in ("b", "d", "f"):
        add(f"jazz/{name}.wav", tone(ord(name)))
    relock(FOLDER)
    assert tracks() == {"b": ("jazz", 0), "d": ("jazz", 1), "f": ("jazz", 2)}
    add("jazz/a.wav", tone(100))
    Path("music/jazz/f.wav").unlink()
    summary = relock(FOLDER)
    assert tracks() == {"b": ("jazz", 0), "d": ("jazz", 1), "a": ("jazz", 3)}
    assert (summary.total, summary.added, summary.removed) == (3, 1, 1)
    add("jazz/c.wav", tone(300))
    Path("music/jazz/a.wav").unlink()
    relock(FOLDER)
    assert tracks() == {"b": ("jazz", 0), "d": ("jazz", 1), "c": ("jazz", 4)}


def test_ordinals_survive_changed_bytes_trims_and_the_order_of_sources(tone: Tone) -> None:
    add("jazz/a.wav", tone(100))
    add("rock/a.wav", tone(200))
    add("rock/b.wav", tone(300))
    relock({"folder": "music/jazz", "label": "x"}, {"folder": "music/rock", "label": "x"})
    before = {track.track: track.ordinal for track in read_lock(LOCK).tracks}
    add("rock/a.wav", tone(999))
    relock(
        {"folder": "music/rock", "label": "x", "start": 0.1},
        {"folder": "music/jazz", "label": "x"},
    )
    assert {track.track: track.ordinal for track in read_lock(LOCK).tracks} == before


def test_a_track_that_changes_its_label_gets_the_next_ordinal_there(tone: Tone) -> None:
    add("a.wav", tone(100))
    add("b.wav", tone(200))
    relock({"folder": "music", "label": "x"})
    relock({"folder": "music", "label": "y"})
    assert tracks() == {"a": ("y", 0), "b": ("y", 1)}
    relock({"folder": "music", "label": "x"})
    assert tracks() == {"a": ("x", 2), "b": ("x", 3)}


def test_pictures_and_playlists_take_no_place_and_are_said_in_one_line(
    tone: Tone, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(("AlbumArt.jpg", "Folder.PNG", "Album.m3u", "notes.txt")):
        add(f"jazz/{name}", b"\xff\xd8\xff\xe0 no sound" + bytes([number]))
    for name in ("b.wav", "c.wav", "hidden sound"):
        add(f"jazz/{name}", tone(100 + ord(name[0])))
    add("jazz/z.mp3", b"broken")  # a song that is damaged is listed, for its owner to see
    assert relock(FOLDER).left_out == 4
    places = {"b": ("jazz", 0), "c": ("jazz", 1), "hidden sound": ("jazz", 2), "z": ("jazz", 3)}
    assert tracks() == places
    said = capsys.readouterr().out
    assert "music: 4 files that are no audio, such as jazz/Album.m3u: left out" in said
    for name in ("b.wav", "c.wav", "hidden sound", "z.mp3"):
        Path("music/jazz", name).unlink()
    with pytest.raises(UserError, match="no files of audio"):
        relock(FOLDER)


def test_both_of_unicodes_forms_of_a_label_are_one_and_an_old_lock_keeps_its_places(
    tone: Tone,
) -> None:
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    for number, label in enumerate((composed, decomposed)):
        for name in ("a", "b"):
            add(f"{label}/{name}{number}.wav", tone(100 + 10 * number + ord(name)))
    relock(FOLDER)
    found = tracks()
    assert {label for label, _ in found.values()} == {composed}
    assert sorted(ordinal for _, ordinal in found.values()) == [0, 1, 2, 3]
    text = LOCK.read_text("utf-8").replace(f"label: {composed}", f"label: {decomposed}")
    LOCK.write_text(text.replace(f"\n  {composed}: 4", f"\n  {decomposed}: 4"), "utf-8")
    relock(FOLDER)
    assert tracks() == found
    relock({"folder": "music", "label": decomposed})
    assert {label for label, _ in tracks().values()} == {composed}


def test_long_labels_that_begin_alike_stay_apart(tone: Tone) -> None:
    names = ["Symphonies " * 10 + end for end in ("one", "two")]
    for number, name in enumerate(names):
        add(f"{name}/s{number}.wav", tone(100 + number))
    relock(FOLDER)
    labels = [label for label, _ in tracks().values()]
    assert len(set(labels)) == 2 and max(map(len, labels)) <= 80


@pytest.mark.parametrize(
    "change",
    [
        {"label": "../../x"},
        {"label": ".x"},
        {"path": "/etc/passwd"},
        {"path": "music/../../secret.wav"},
        {"path": "elsewhere/a.wav"},
    ],
)
def test_a_lock_from_elsewhere_leads_nowhere_else(tone: Tone, change: dict[str, str]) -> None:
    add("jazz/a.wav", tone(100))
    relock(FOLDER)
    value = yaml.safe_load(LOCK.read_text("utf-8"))
    value["tracks"][0] |= change
    if "label" in change:
        value["next_ordinal"][change["label"]] = 1
    LOCK.write_text(yaml.safe_dump(value), "utf-8")
    with pytest.raises(UserError, match=r"sources\.lock\.yaml") as caught:
        download()
    assert "\n" not in str(caught.value)
    assert not RAW.exists()


def test_locking_twice_writes_the_same_bytes(tone: Tone) -> None:
    add("a/Ünïcode: 'x'.wav", tone(100))
    add("no/2.wav", tone(200))
    relock(FOLDER)
    first = LOCK.read_bytes()
    assert str(relock(FOLDER)).startswith("2 tracks locked (0 new, 0 removed")
    assert LOCK.read_bytes() == first


def test_duplicate_base_names_do_not_collide_and_copies_are_pointed_out(
    tone: Tone, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("jazz/s.wav", "rock/s.wav", "rock/s.flac"):
        add(name, tone(440))
    relock(FOLDER)
    assert len({track.track for track in read_lock(LOCK).tracks}) == 3
    assert capsys.readouterr().out.count("same bytes") == 2
    assert len({row["file"] for row in download()}) == 3


def test_overlapping_sources_give_each_file_once(tone: Tone) -> None:
    add("jazz/s.wav", tone(440))
    summary = relock({"folder": "./music/jazz", "label": "a"}, FOLDER | {"label": "b"}, FOLDER)
    assert (summary.total, summary.left_out) == (1, 2)


# --- addresses ------------------------------------------------------------------------------


def test_a_feed_becomes_tracks_and_only_new_entries_are_downloaded(server: Any, tone: Tone) -> None:
    songs = [(f"Song {i}", server.add(f"/{i}/s.wav", tone(100 * i))) for i in (1, 2, 3)]
    source = {"url": server.feed("/feed", songs[:2]), "label": "pod", "licence": "CC-BY-4.0"}
    source |= {"allow_private": True}
    relock(source)
    server.requests.clear()
    server.feed("/feed", [songs[2], *songs[:2]])
    summary = relock(source)
    assert (summary.total, summary.added) == (3, 1)
    assert tracks() == {"Song 1": ("pod", 0), "Song 2": ("pod", 1), "Song 3": ("pod", 2)}
    assert server.requests.keys() == {"/feed", "/3/s.wav"}
    row = read_lock(LOCK).tracks[0]
    assert (row.sha256, row.bytes) == (hashlib.sha256(tone(100)).hexdigest(), len(tone(100)))
    assert (row.duration, row.licence, row.url) == (0.3, "CC-BY-4.0", songs[0][1])


def test_a_bad_entry_is_reported_and_left_out(
    server: Any, tone: Tone, capsys: pytest.CaptureFixture[str]
) -> None:
    good = server.add("/good.wav", tone(440))
    html = server.add("/page.mp3", b"<html>log in</html>" * 50, "audio/mpeg")
    items = [("Gone", server.address + "/gone.wav"), ("Page", html), ("Good\x85\u202e!", good)]
    items.append(("Escape", "file:///etc/passwd"))
    summary = relock({"url": server.feed("/feed", items), "allow_private": True})
    assert (summary.total, summary.left_out) == (1, 3)
    lines = capsys.readouterr().out
    assert "404" in lines and "web page" in lines and "must begin with http" in lines
    assert tracks() == {"Good !": ("unlabelled", 0)}


def test_a_source_that_yields_nothing_is_an_error_and_leaves_the_old_lock(
    server: Any, tone: Tone
) -> None:
    add("a.wav", tone(440))
    relock(FOLDER)
    before = LOCK.read_bytes()
    url = server.address + "/gone.wav"
    for source in (
        {"url": url, "allow_private": True},
        {"url": server.feed("/feed", [("Gone", url)]), "allow_private": True},
        {"url": server.feed("/empty", []), "allow_private": True},
        {"url": url},
        {"folder": "nowhere"},
    ):
        with pytest.raises(UserError) as caught:
            relock(FOLDER, source)
        assert "\n" not in str(caught.value)
        assert LOCK.read_bytes() == before


def test_entries_beyond_the_limits_are_left_out(server: Any, tone: Tone) -> None:
    seconds = [0.5, 2.0, 0.5]
    songs = [
        (f"Song {i}", server.add(f"/{i}.wav", tone(100 + i, s))) for i, s in enumerate(seconds)
    ]
    source = {"url": server.feed("/feed", songs), "allow_private": True}
    relock(source | {"max_minutes": 0.02})
    assert tracks().keys() == {"Song 0", "Song 2"}
    relock(source | {"max_entries": 2})
    assert tracks().keys() == {"Song 0", "Song 1"}
    relock(source | {"max_minutes": 0.02})  # also those that the lock file knew
    assert tracks().keys() == {"Song 0", "Song 2"}


def test_a_locked_file_is_not_asked_for_again_though_its_server_has_gone(
    server: Any, tone: Tone
) -> None:
    source = {"url": server.add("/s.wav", tone(440)), "allow_private": True}
    relock(source)
    server.pages.clear()
    assert relock(source | {"label": "new"}).total == 1
    assert tracks() == {"s": ("new", 0)}


def test_an_interrupted_lock_goes_on_with_what_it_has(server: Any, tone: Tone) -> None:
    songs = [(f"Song {i}", server.add(f"/{i}.wav", tone(100 + i))) for i in (1, 2)]
    source = {"url": server.feed("/feed", songs), "allow_private": True}
    with pytest.raises(UserError):
        relock(source, {"folder": "nowhere"})
    with (store_root() / "unfinished-lock.jsonl").open("ab") as journal:
        journal.write(b'[["url", "cut')  # a kill in the middle of a line
    assert not LOCK.exists()
    server.requests.clear()
    assert relock(source).total == 2
    assert server.requests.keys() == {"/feed"}
    assert [path for path in store_root().iterdir() if len(path.name) != 64] == []


@pytest.mark.parametrize("line", [b"5", b"[[1], 2]", b'[["url"], {}, "0"]', b"[" * 9999, b"\xff"])
def test_what_is_no_line_of_the_journal_is_no_hindrance(
    server: Any, tone: Tone, line: bytes
) -> None:
    (store_root() / "unfinished-lock.jsonl").write_bytes(line)
    assert relock({"url": server.add("/s.wav", tone(440)), "allow_private": True}).total == 1


def test_a_line_of_the_journal_with_a_wrong_bit_is_fetched_again(server: Any, tone: Tone) -> None:
    source = {"url": server.add("/s.wav", tone(440)), "allow_private": True}
    with pytest.raises(UserError):
        relock(source, {"folder": "nowhere"})
    journal = store_root() / "unfinished-lock.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"title": "s"', b'"title": "r"'))
    server.requests.clear()
    assert relock(source).total == 1
    assert server.requests and tracks().keys() == {"s"}


# --- the download stage ---------------------------------------------------------------------


def test_raw_holds_the_locked_bytes_and_an_index(server: Any, tone: Tone) -> None:
    add("jazz/a.wav", tone(440))
    url = server.add("/s.flac", tone(880, 0.3, "FLAC"), "audio/flac")
    relock(FOLDER | {"start": 0.1}, {"url": url, "allow_private": True, "licence": "CC0-1.0"})
    server.requests.clear()
    rows = download()
    assert not server.requests, "the store has it"
    assert [row["source"] for row in rows] == ["folder", "url"]
    assert rows == sorted(rows, key=lambda row: row["track"])
    for row in rows:
        assert hashlib.sha256((RAW / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    assert (RAW / rows[0]["file"]).read_bytes() == tone(440)
    assert {path.name for path in RAW.iterdir()} == {
        "index.jsonl",
        "truth",
        *(r["file"] for r in rows),
    }
    first = {key: rows[0][key] for key in ("label", "ordinal", "title", "start", "end", "truth")}
    assert first == {
        "label": "jazz", "ordinal": 0, "title": "a", "start": 0.1, "end": None, "truth": None
    }  # fmt: skip


def test_what_the_store_has_lost_is_downloaded_again(server: Any, tone: Tone) -> None:
    relock({"url": server.add("/s.wav", tone(440)), "allow_private": True})
    (stored,) = store_root().iterdir()
    stored.write_bytes(b"rotten")
    (row,) = download()
    assert (RAW / row["file"]).read_bytes() == tone(440)


def test_sources_that_the_lock_does_not_know_stop_the_stage(tone: Tone) -> None:
    add("a.wav", tone(440))
    relock(FOLDER)
    write_sources(FOLDER | {"label": "x"})
    with pytest.raises(UserError, match="run `melodygan lock`"):
        download()
    LOCK.unlink()
    with pytest.raises(UserError, match="run `melodygan lock`"):
        download()
    assert not RAW.exists()


def test_a_drifted_address_fails_or_is_accepted(server: Any, tone: Tone) -> None:
    url = server.add("/s.wav", tone(440))
    relock({"url": url, "allow_private": True})
    (stored,) = store_root().iterdir()
    server.add("/s.wav", tone(880))
    assert download()[0]["sha256"] == stored.name  # the store still has the locked bytes
    stored.unlink()
    got = hashlib.sha256(tone(880)).hexdigest()
    for on_drift in ("fail", "keep"):
        with pytest.raises(UserError, match=f"{url}: expected sha256 {stored.name}, got {got}"):
            download(on_drift)  # type: ignore[arg-type]
    assert download("accept")[0]["sha256"] == got


def test_a_drifted_local_file_fails_is_accepted_or_kept(tone: Tone) -> None:
    add("a.wav", tone(440))
    relock(FOLDER)
    download("keep")
    add("a.wav", tone(880))
    with pytest.raises(UserError, match=r"music/a\.wav: expected sha256"):
        download("fail")
    (row,) = download("accept")
    assert row["sha256"] == hashlib.sha256(tone(880)).hexdigest()
    (row,) = download("keep")
    assert row["sha256"] == hashlib.sha256(tone(440)).hexdigest()
    assert (RAW / row["file"]).read_bytes() == tone(440)


def test_a_vanished_file_is_one_line_and_the_old_folder_stays(tone: Tone) -> None:
    add("a.wav", tone(440))
    relock(FOLDER)
    download()
    Path("music/a.wav").unlink()
    with pytest.raises(UserError, match=r"a\.wav: No such file.*melodygan lock") as caught:
        download()
    assert "\n" not in str(caught.value)
    assert (RAW / "index.jsonl").exists() and not Path("data/raw.tmp").exists()


def test_the_demo_is_rendered_with_its_true_vocals(tone: Tone) -> None:
    summary = relock({"demo": {"tracks": 3, "seconds": 1}})
    assert summary.total == 3
    rows = download()
    for row in rows:
        assert row["source"] == "demo" and row["title"] and row["licence"]
        assert (RAW / row["file"]).read_bytes().startswith(b"fLaC")
        assert (RAW / row["truth"]["vocals"]).read_bytes().startswith(b"fLaC")
    first = {path.name: path.read_bytes() for path in RAW.rglob("*.flac")}
    assert len(first) == 6
    download()
    assert {path.name: path.read_bytes() for path in RAW.rglob("*.flac")} == first


# --- the lock file --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v["tracks"].append(v["tracks"][0]), "occurs twice"),
        (lambda v: v["tracks"][1].update(ordinal=0), "occurs twice"),
        (lambda v: v["tracks"][0].update(track="../x"), r"tracks\[0\].*not a track id"),
        (lambda v: v["tracks"][0].update(sha256="x"), "not a SHA-256"),
        (lambda v: v["tracks"][0].update(extra=1), r"unknown key tracks\[0\]\.extra"),
        (lambda v: v["tracks"][0].pop("path"), "needs path"),
        (lambda v: v["next_ordinal"].update(music=1), "next_ordinal"),
        (lambda v: v.pop("tracks"), "its keys must be"),
    ],
)
def test_a_damaged_lock_file_is_one_line(
    tone: Tone, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    add("a.wav", tone(440))
    add("b.wav", tone(880))
    relock(FOLDER | {"label": "music"})
    value = yaml.safe_load(LOCK.read_text())
    change(value)
    LOCK.write_text(json.dumps(value))
    with pytest.raises(UserError, match=words) as caught:
        read_lock(LOCK)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(LOCK))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\n<<<<<<< HEAD\ntracks: []\n=======\n>>>>>>> x\n", "marks.*git checkout --ours"),
        ("<<<", "its keys must be"),
        ("", "its keys must be"),
        ("\0" * 100, "not valid YAML"),
        (None, "is a folder"),
    ],
)
def test_a_lock_file_that_is_none_is_one_line(content: str | None, words: str) -> None:
    LOCK.parent.mkdir()
    if content is None:
        LOCK.mkdir()
    else:
        LOCK.write_text(content)
    with pytest.raises(UserError, match=words) as caught:
        read_lock(LOCK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: text.rindex("- track")],  # cut short, at the end of a row
        lambda text: text.replace("ordinal: 2", "ordinal: 3").replace("music: 3", "music: 7"),
        lambda text: text.replace("title: b", "title: f"),  # one bit
    ],
)
def test_nothing_is_made_from_a_lock_file_that_is_not_as_it_was_written(
    tone: Tone, damage: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate("abc"):
        add(f"{name}.wav", tone(100 + number))
    relock(FOLDER | {"label": "music"})
    text = LOCK.read_text()
    assert damage(text) != text
    LOCK.write_text(damage(text))
    with pytest.raises(UserError, match=r"not as `melodygan lock` wrote it.*restore it from git"):
        download()
    assert not RAW.exists()
    relock(FOLDER | {"label": "music"})
    assert "a track that it lacks counts as new" in capsys.readouterr().out
    assert read_lock(LOCK).whole
    LOCK.write_bytes(text.replace("\n", "\r\n").encode())  # as git leaves it on Windows
    download()
    assert len(list(RAW.glob("*.wav"))) == 3


def test_a_lock_file_of_the_first_versions_is_as_good(tone: Tone) -> None:
    add("a.wav", tone(100))
    relock(FOLDER)
    LOCK.write_text("".join(LOCK.read_text().splitlines(keepends=True)[2:]))
    assert LOCK.read_text().startswith("sources_sha256")
    download()
    assert len(list(RAW.glob("*.wav"))) == 1


def test_the_committed_lock_file_is_that_of_the_committed_sources(tmp_path: Path) -> None:
    for name in ("sources.yaml", "sources.lock.yaml"):
        (tmp_path / name).write_bytes((ROOT / "data" / name).read_bytes())
    sources = read_sources(tmp_path / "sources.yaml")
    assert read_lock(tmp_path / "sources.lock.yaml").sources_sha256 == sources_digest(sources)
    lock(tmp_path / "sources.yaml", tmp_path / "sources.lock.yaml", QUICK, PARAMS)
    committed = (ROOT / "data" / "sources.lock.yaml").read_bytes()
    assert (tmp_path / "sources.lock.yaml").read_bytes() == committed
