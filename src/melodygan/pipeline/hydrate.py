"""Fill the side cache from the outputs of the last commit, as on a fresh clone after `dvc pull`.

A stage that works track by track writes two outputs: its data, and data/keys/STAGE.jsonl, which
says under which key the side cache had each track. The keys are an output of their own on which
nothing depends, since a new key for equal data must not rerun the stages behind.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from melodygan.pipeline.entries import publish
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import as_written, read_rows, text, write_rows
from melodygan.pipeline.recorded import is_recorded

KEYS = Path("data/keys")
Restore = Callable[[str, Path, Path], bool]


def write_keys(stage: str, folders: Mapping[str, Path]) -> None:
    """Write the keys output of `stage` from each track's folder in the side cache."""
    rows = [{"track": track, "key": folder.name} for track, folder in sorted(folders.items())]
    write_rows(KEYS / f"{stage}.jsonl", rows)


def read_keys(path: Path) -> dict[str, str]:
    """Key by track, as `write_keys` wrote them. Raises UserError for another file."""
    rows = read_rows(path)
    with as_written(path):
        return {text(row["track"]): text(row["key"]) for row in rows}


def hydrate(stage: str, missing: Mapping[str, Path], output: Path, restore: Restore) -> None:
    """Make those `missing` folders (by track) that the last commit has.

    output: the stage's data, as in dvc.yaml. restore: `restore(track, source, folder)` writes into
    `folder` what the work wrote for `track`, out of `source`, a copy of `output`; False if it is
    not there.
    """
    keys = KEYS / f"{stage}.jsonl"
    with last_commit(stage, keys, next(iter(missing.values())).parent) as get:
        known = read_keys(get(keys)) if get else {}
        wanted = {t: folder for t, folder in missing.items() if known.get(t) == folder.name}
        if get and wanted:
            data = get(output)
            for track, folder in wanted.items():
                part = data.with_name("part")
                part.mkdir()
                # equal tracks share a folder, and the output may have only one of them
                if not folder.exists() and restore(track, data, part):
                    publish(part, folder)
                else:
                    shutil.rmtree(part)


@contextmanager
def last_commit(stage: str, needed: Path, root: Path) -> Iterator[Callable[[Path], Path] | None]:
    """Yield a function that copies an output (file or folder) of the last commit for this block.

    None where the last commit does not have the output `needed`. A line is printed, and the block
    ends, when DVC cannot get something: neither its cache nor its remote need be here. root: the
    folder that will have the temporary copies.
    """
    lock = _committed_lock()
    if needed.as_posix() not in lock:
        yield None
        return
    from dvc.api import DVCFileSystem  # most of a second to import: only when there is a chance
    from dvc.exceptions import DvcException

    scratch = Path(tempfile.mkdtemp(".tmp", "hydrate-", root))
    try:
        committed = DVCFileSystem(".", rev="HEAD", subrepos=True)
        # with a revision, paths begin at the root of the git repository, which may be larger
        below = Path(_git("rev-parse", "--show-prefix").removesuffix("\n"))

        def get(path: Path) -> Path:
            copy = scratch / path.name
            committed.get((below / path).as_posix(), str(copy), recursive=True)
            if not is_recorded(copy, lock, path):
                raise UserError(f"{path} is damaged in DVC's cache")
            return copy

        yield get
    except (DvcException, OSError, UserError) as error:
        print(f"{stage}: the last commit's results are not at hand ({error}): making them again")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _committed_lock() -> str:
    """dvc.lock of the last commit; empty where there is none."""
    return _git("show", "HEAD:./dvc.lock")


def _git(*arguments: str) -> str:
    """What a git command prints; nothing where it fails."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return ""  # no git on this machine
    return os.fsdecode(done.stdout) if done.returncode == 0 else ""
