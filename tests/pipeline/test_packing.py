"""Tar archives: any tar reader can open them, and their bytes follow from the contents alone."""

import os
import tarfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from melodygan.pipeline.packing import pack, shard_of

NAMES = st.text("abz09-_", min_size=1, max_size=80).map("{}.instrumental.flac".format)
CONTENTS = st.binary(max_size=1100)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, CONTENTS, max_size=5))
def test_members_lie_where_pack_says_and_any_reader_finds_them(
    tmp_path: Path, contents: dict[str, bytes]
) -> None:
    members = []
    for number, (name, content) in enumerate(contents.items()):
        (tmp_path / str(number)).write_bytes(content)
        members.append((name, tmp_path / str(number)))
    extents = pack(tmp_path / "x.tar", members)
    archive = (tmp_path / "x.tar").read_bytes()
    found = [archive[offset : offset + size] for offset, size in extents]
    assert found == list(contents.values())
    with tarfile.open(tmp_path / "x.tar") as reader:
        read = [(entry.name, entry.offset_data, entry.size) for entry in reader]
    assert read == [(n, *extent) for n, extent in zip(contents, extents, strict=True)]


def test_the_bytes_do_not_depend_on_the_files_times_and_permissions(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"sound" * 1000)
    pack(tmp_path / "first.tar", [("a.flac", part)])
    part.chmod(0o600)
    os.utime(part, (1, 1))
    pack(tmp_path / "second.tar", [("a.flac", part)])
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    with tarfile.open(tmp_path / "first.tar") as reader:
        (entry,) = reader.getmembers()
    assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.mode) == (0, 0, 0, "", 0o644)


def test_tracks_spread_evenly_over_shards() -> None:
    counts = Counter(shard_of(f"track-{i}", 4) for i in range(4000))
    assert all(abs(count - 1000) < 150 for count in counts.values())
