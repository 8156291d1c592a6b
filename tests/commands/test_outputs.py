"""Results never replace what melodygan has not made; pictures in an album are no songs."""

import shutil
from pathlib import Path

import pytest

from melodygan.cli import main

pytestmark = pytest.mark.usefixtures("song")


PICTURE = bytes.fromhex(  # a GIF of one pixel
    "47494638396101000100800000ffffff00000021f90401000000002c000000000100010000020244003b"
)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says that must change nothing; one line."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(arguments) == 1
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    return line


@pytest.fixture
def masters(song: object) -> Path:
    """A folder with a song that bears the name of a result."""
    folder = Path("masters")
    folder.mkdir()
    for name in ("000.wav", "song.wav"):
        shutil.copy("song.wav", folder / name)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "--label", "beat", "--seconds", "0.2", "-o", "masters"],
        ["generate", "--continue", "song.wav", "--seconds", "0.2", "-o", "masters"],
        ["generate", "--variation", "song.wav", "-o", "masters"],
        ["convert", "album", "--to", "drone", "-o", "masters"],
        ["convert", "song.wav", "--to", "drone", "-o", "masters/song.wav"],
    ],
)
def test_a_song_that_lies_where_a_result_would_is_left_alone(
    masters: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    Path("album").mkdir()
    shutil.copy("song.wav", "album")
    assert "is there, and not made by melodygan" in refused(capsys, *arguments)


def test_what_melodygan_has_made_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("1", "2"):
        made = ["generate", "--label", "beat", "--seconds", "0.2", "--seed", seed, "-o", "out"]
        assert main(made) == 0
        assert main(["convert", "song.wav", "--to", "drone", "-o", "new.wav"]) == 0
    made = ["generate", "--recipe", "out/000.wav", "-o"]
    assert main([*made, "new.wav"]) == 0
    shutil.copy("song.wav", "other.wav")
    assert "not made by melodygan" in refused(capsys, *made, "other.wav")


def test_pictures_and_playlists_beside_songs_are_no_songs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    album = Path("album")
    album.mkdir()
    for name in ("one.wav", "two.dat"):  # the latter under an ending that is nobody's
        shutil.copy("song.wav", album / name)
    for name in ("Folder.jpg", "Folder.png", "one.gif"):
        (album / name).write_bytes(PICTURE)
    for name in ("one.lrc", "Album.m3u", "Album.cue", "Thumbs.db", "._one.wav", ".DS_Store"):
        (album / name).write_bytes(b"#EXTM3U\none.wav\n")
    assert main(["convert", "album", "--to", "drone", "-o", "new"]) == 0
    assert sorted(path.name for path in Path("new").iterdir()) == ["one.wav", "two.wav"]
    said = capsys.readouterr().out.splitlines()
    assert said[2:] == [
        "not converted, no sound: Album.cue, Album.m3u, Folder.jpg, Folder.png, Thumbs.db, "
        "one.gif, one.lrc"
    ]
    for path in album.glob("*.*"):
        if path.suffix in (".wav", ".dat"):
            path.unlink()
    assert "no files of audio in it" in refused(
        capsys, "convert", "album", "--to", "drone", "-o", "more"
    )


def test_an_import_replaces_no_folder_but_a_models(
    masters: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "import-vocoder", "universal", "-o", "masters")
    assert "masters is there and is no model's folder" in line
