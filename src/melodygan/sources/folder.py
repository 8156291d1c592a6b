"""The files of a local folder: every regular one, in an order that depends on their names alone."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.names import clean
from melodygan.pipeline.runtime import repository_root
from melodygan.sources.naming import UNLABELLED, label_of

Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A file of a folder source: where it is, and its path relative to the folder."""

    path: Path
    relative: str

    @property
    def label(self) -> str:
        """The name of the immediate subfolder that the file is in."""
        folder, slash, _ = self.relative.partition("/")
        return label_of(folder) if slash else UNLABELLED


def locate(path: str) -> Path:
    """A path as sources.yaml and the lock give it: below the repository's root, or absolute."""
    return repository_root() / Path(path).expanduser()


def list_files(folder: str, say: Say) -> list[Found]:
    """Every regular file below `folder` that is not hidden, sorted by its relative path.

    Files that are not audio are listed too: preprocessing rejects them with a reason. Links that
    lead out of the folder, links to folders, broken links, devices and pipes are left out, each
    with a line through `say`. Raises UserError where `folder` is no readable folder.
    """
    try:
        root = locate(folder)
        found = root.is_dir()
    except (OSError, RuntimeError) as error:  # a name too long; a home folder of nobody
        raise UserError(f"folder {clean(folder)}: {error}: mend it in data/sources.yaml") from None
    if not found:
        where = f"folder {clean(folder)}: not found at {clean(str(root), 4000)}"
        hint = " (~ is your home there, $HOME is not)" if "$" in folder else ""
        raise UserError(f"{where}: mend its path in data/sources.yaml{hint}")
    try:
        files = list(_walk(root, root.resolve(), say))
    except OSError as error:
        where = clean(os.fsdecode(error.filename or ""))
        raise UserError(f"folder {clean(folder)}: {where}: {error.strerror}") from None
    return sorted(files, key=lambda found: found.relative)


def _walk(top: Path, root: Path, say: Say) -> Iterator[Found]:
    waiting = _entries(top, "")  # no recursion: folders may be nested as deeply as paths are long
    while waiting:
        entry, relative = waiting.pop()
        complaint = _complaint(entry, root)
        if complaint:
            say(f"{clean(relative)}: {complaint}: left out")
        elif entry.is_dir():
            waiting += _entries(Path(entry.path), relative + "/")
        else:
            yield Found(Path(entry.path), relative)


def _entries(folder: Path, prefix: str) -> list[tuple[os.DirEntry[str], str]]:
    """What is in a folder and not hidden, with its path; the last name comes first."""
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
    return [(entry, prefix + entry.name) for entry in entries if not entry.name.startswith(".")]


def _complaint(entry: os.DirEntry[str], root: Path) -> str | None:
    if not _is_text(entry.name):
        return "its name is not valid UTF-8, rename it"
    if entry.is_symlink():
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # Python 3.11 reports a loop of links as RuntimeError
            return "a link that leads nowhere"
        if not target.is_relative_to(root):
            return "a link that leads out of the folder"
        if target.is_dir():
            return "a link to a folder, whose files are listed in their own place"
    if not entry.is_dir() and not entry.is_file():
        return "neither a file nor a folder"
    return None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
