"""Local folders: which files count, in which order, under which label."""

import os
import subprocess
from pathlib import Path

import pytest

from melodygan.pipeline import UserError
from melodygan.pipeline.names import clean, slug
from melodygan.sources.folder import list_files
from melodygan.sources.naming import extension, label_complaint, label_of, track_id

pytestmark = pytest.mark.usefixtures("repository")


def make(*names: str) -> None:
    for name in names:
        path = Path("music") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def listed(folder: str = "music") -> tuple[list[str], list[str]]:
    lines: list[str] = []
    return [found.relative for found in list_files(folder, lines.append)], lines


def test_files_come_sorted_by_path_whatever_they_are() -> None:
    make("b/2.wav", "a/1.flac", "a/deep/0.txt", "z.bin", ".DS_Store", "a/.hidden", ".git/x.wav")
    assert listed() == (["a/1.flac", "a/deep/0.txt", "b/2.wav", "z.bin"], [])


def test_the_immediate_subfolder_is_the_label() -> None:
    make("jazz/cool/1.wav", "hip hop/2.wav", "3.wav")
    labels = [found.label for found in list_files("music", print)]
    assert labels == ["unlabelled", "hip hop", "jazz"]


def test_folders_are_relative_to_the_repository_or_absolute(tmp_path: Path) -> None:
    make("1.wav")
    assert listed("./music") == listed(str(Path("music").absolute())) == (["1.wav"], [])


def test_links_out_of_the_folder_are_refused_with_a_line(tmp_path: Path) -> None:
    make("a/1.wav")
    (tmp_path / "secret.wav").write_bytes(b"x")
    Path("music/a/link.wav").symlink_to(tmp_path / "secret.wav")
    Path("music/b").symlink_to(tmp_path)
    files, lines = listed()
    assert files == ["a/1.wav"]
    assert lines == [
        "a/link.wav: a link that leads out of the folder: left out",
        "b: a link that leads out of the folder: left out",
    ]


def test_a_link_to_a_file_inside_counts_and_a_link_to_a_folder_does_not() -> None:
    make("a/1.wav")
    Path("music/a/2.wav").symlink_to("../a/1.wav")
    Path("music/b").symlink_to("a")
    files, lines = listed()
    assert files == ["a/1.wav", "a/2.wav"]
    assert len(lines) == 1


def test_loops_broken_links_and_pipes_are_left_out_with_a_line() -> None:
    make("a/1.wav")
    Path("music/loop").symlink_to("loop")
    Path("music/a/up").symlink_to("..")
    Path("music/gone").symlink_to("gone.wav")
    os.mkfifo("music/pipe.wav")
    files, lines = listed()
    assert files == ["a/1.wav"]
    assert [line.split(":")[0] for line in lines] == ["a/up", "gone", "loop", "pipe.wav"]


def test_names_that_are_no_text_are_left_out_with_a_line() -> None:
    make("1.wav")
    Path(os.fsdecode(b"music/\xff\xfe.wav")).write_bytes(b"x")
    files, lines = listed()
    assert files == ["1.wav"]
    assert "UTF-8" in lines[0]
    lines[0].encode()


def test_a_missing_folder_is_one_line() -> None:
    with pytest.raises(UserError, match="folder nowhere: not found"):
        listed("nowhere")


@pytest.mark.parametrize("folder", ["a" * 5000, "~nobody-of-that-name/music"])
def test_a_folder_that_cannot_be_is_one_line(folder: str) -> None:
    with pytest.raises(UserError, match=r"mend it in data/sources\.yaml") as caught:
        listed(folder)
    assert "\n" not in str(caught.value)


def test_hostile_names_become_harmless_ids() -> None:
    names = ["../../x", "a\nb", "$(rm -rf ~)", "\u202ex", "é" * 400, "", "音楽", "-", "a" * 4000]
    for name in names:
        track = track_id(name, ("folder", name))
        assert set(track) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
        assert len(track) <= 80 and not track.startswith("-")
    assert len({track_id("s", ("folder", name)) for name in names}) == len(names)
    assert slug("Mädchen & Söhne") == "Madchen-Sohne"


def test_titles_are_shown_on_one_line_without_control_characters() -> None:
    assert clean(" a\n\tb\x1b[31m\x00\u202e ") == "a b[31m"
    assert clean("x" * 400) == "x" * 200
    assert clean("Björk: Jóga 🎵") == "Björk: Jóga 🎵"


def test_extensions_are_short_and_plain() -> None:
    names = ["a.WAV", "a", "a.tar.gz", "a.b c", "a.verylongone", ".x/../y"]
    assert [extension(name) for name in names] == [".wav", ".bin", ".gz", ".bin", ".bin", ".bin"]


def test_labels_are_what_folders_can_be_called() -> None:
    assert label_of("  Caf\u0065\u0301\n Jazz ") == "Caf\u00e9 Jazz"
    for name in ("a\\b", "...x", "$HOME", "~", "%s", "Камерная музыка", "x" * 250, "\u202e"):
        assert label_complaint(label_of(name)) is None, name


def test_folders_may_be_nested_as_deeply_as_a_path_is_long(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):  # more than Python's recursion goes
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("s.wav", os.O_CREAT, dir_fd=here))
    os.close(here)
    said: list[str] = []
    found = [found.relative for found in list_files(str(tmp_path), said.append)]
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)  # Python's way is recursive too
    assert found == ["d/" * 1500 + "s.wav"]


@pytest.mark.parametrize("folder", ["$HOME/music", "a\nb", "~nobody-here/x", "%s", "x" * 5000])
def test_a_folder_that_is_not_there_is_one_line_whatever_its_name(folder: str) -> None:
    with pytest.raises(UserError, match=r"data/sources\.yaml") as caught:
        list_files(folder, print)
    assert "\n" not in str(caught.value)
