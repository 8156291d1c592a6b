"""Files that come from a browser or go to one, under names that nobody can guess."""

import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.names import clean, slug

LARGEST = 200_000_000  # bytes of an upload
UPLOADS, KEPT = 40, 40  # uploads and finished jobs of one visitor that are kept
_ENDING = 8  # characters of a file's ending that are kept


@dataclass(frozen=True)
class Item:
    """A file on the shelf. name: what its owner calls it. visitor: its owner."""

    id: str
    visitor: str
    name: str
    path: Path


class Shelf:
    """All files of a running page, in one folder that goes with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)  # of a page that was killed
        folder.mkdir(parents=True)
        self._uploads: dict[str, Item] = {}
        self._results: dict[str, Item] = {}

    def close(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def receive(
        self, visitor: str, name: str, chunks: AsyncIterator[bytes], most: int = LARGEST
    ) -> Item:
        """Keep an upload. Raises UserError for an empty or too large one; nothing stays of it.

        Nothing is looked into here: what it holds is found out in a child, as of every file.
        """
        shown = clean(name.replace("\\", "/").rpartition("/")[2]) or "song"
        stem, dot, ending = shown.rpartition(".")
        file = f"{slug(stem or ending)}.{slug(ending)[:_ENDING].lower()}" if dot else slug(shown)
        item = Item(_id(), visitor, shown, self.folder / "uploads" / _id() / file)
        item.path.parent.mkdir(parents=True)
        size = 0
        try:
            with item.path.open("wb") as out:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > most:
                        raise UserError(
                            f"{shown}: more than {most / 1e6:g} MB: choose a shorter file, or one "
                            "of a compressed kind, such as FLAC or MP3"
                        )
                    out.write(chunk)
            if not size:
                raise UserError(f"{shown}: an empty file: choose another")
        except BaseException:
            shutil.rmtree(item.path.parent, ignore_errors=True)
            raise
        self._uploads[item.id] = item
        of_visitor = [i for i in self._uploads.values() if i.visitor == visitor]
        for old in of_visitor[:-UPLOADS]:
            del self._uploads[old.id]
            shutil.rmtree(old.path.parent, ignore_errors=True)
        return item

    def upload(self, visitor: str, id_: str) -> Item:
        """An upload of this visitor. Raises UserError if there is none of that id."""
        item = self._uploads.get(id_)
        if item is None or item.visitor != visitor:
            raise UserError("this file is not here any more: choose it again")
        return item

    def show(self, visitor: str, path: Path, name: str) -> str:
        """The id under which a file can be fetched by its owner from now on."""
        item = Item(_id(), visitor, name, path)
        self._results[item.id] = item
        return item.id

    def result(self, visitor: str, id_: str) -> Item | None:
        """A file that was shown to this visitor."""
        item = self._results.get(id_)
        return item if item and item.visitor == visitor else None

    def room(self) -> tuple[str, Path]:
        """Id and folder, which is empty, of a new job."""
        id_ = _id()
        folder = self.folder / "jobs" / id_
        folder.mkdir(parents=True)
        return id_, folder

    def clear(self, folder: Path) -> None:
        """Forget a job's files."""
        self._results = {
            key: item for key, item in self._results.items() if not item.path.is_relative_to(folder)
        }
        shutil.rmtree(folder, ignore_errors=True)


def _id() -> str:
    return secrets.token_urlsafe(16)
