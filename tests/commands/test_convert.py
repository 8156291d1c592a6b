"""`melodygan convert` and the files that it must leave alone."""

import os
from pathlib import Path

import pytest

from melodygan.commands.convert import convert
from melodygan.pipeline.errors import UserError


@pytest.mark.parametrize(
    "name", ["song.wav", "./song.wav", "link.wav", "hard.wav", "sub/../song.wav"]
)
def test_the_song_itself_is_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    song = Path("song.wav")
    song.write_bytes(b"the only copy")
    Path("sub").mkdir()
    Path("link.wav").symlink_to(song)
    os.link(song, "hard.wav")
    with pytest.raises(UserError, match="is the song itself"):
        convert(song, None, "b", Path(name))
    with pytest.raises(UserError, match="is the song itself"):
        convert(Path("link.wav"), None, "b", song)
    assert song.read_bytes() == b"the only copy"


def test_a_folder_is_no_place_for_the_result(tmp_path: Path) -> None:
    (tmp_path / "out.wav").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        convert(tmp_path / "song.wav", None, "b", tmp_path / "out.wav")
