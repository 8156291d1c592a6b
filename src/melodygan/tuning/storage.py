"""Where studies are kept: SQLite on one machine, a journal on a shared disk, or PostgreSQL."""

import fcntl
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.runtime import cache_root

Direction = Literal["minimize", "maximize"]
_JOURNAL = b'{"op_code":'  # how each line of a journal begins
_ATTEMPTS = 4  # at making the tables, which several machines may want to at once


def default_storage() -> str:
    """SQLite in the side cache."""
    return f"sqlite:///{cache_root() / 'tune' / 'studies.db'}"


def open_storage(url: str) -> BaseStorage:
    """The storage at a database's URL, or in a journal file where `url` is a path.

    Raises UserError for one that cannot be used; a password in `url` is not repeated.
    """
    if "://" not in url:
        with _telling(url):
            return _journal(Path(url).resolve())
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError("--storage is no URL of a database: see docs/tuning.md") from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    shown = parsed.render_as_string(hide_password=True)
    arguments: dict[str, object] = {"pool_pre_ping": True}  # for a server that was restarted
    database = None
    if parsed.get_backend_name() == "sqlite":
        arguments, database = {"connect_args": {"timeout": 60}}, parsed.database
    if database:
        with _telling(shown):
            Path(database).parent.mkdir(parents=True, exist_ok=True)
            Path(database).touch()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with _alone(database):
                return RDBStorage(parsed.render_as_string(hide_password=False), arguments)
        except (ImportError, NoSuchModuleError):
            raise UserError(
                f"--storage {shown} needs a driver: for PostgreSQL `uv sync --extra postgres`"
            ) from None
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            if attempt == _ATTEMPTS:
                said = str(error.__cause__ or error).strip().splitlines()[0]
                raise UserError(f"--storage {shown} does not work: {said}") from None
            time.sleep(random.uniform(0.2, 1.0))
    raise AssertionError


def open_study(storage: BaseStorage, name: str, directions: Sequence[Direction]) -> optuna.Study:
    """The study of that name, made if there is none. directions: minimize | maximize, each."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        storage=storage, study_name=name, directions=list(directions), load_if_exists=True
    )


@contextmanager
def _telling(shown: str) -> Iterator[None]:
    """Raises UserError for what the block cannot make or open."""
    try:
        yield
    except OSError as error:
        raise UserError(f"--storage {shown} does not work: {error.strerror}") from None


def _journal(path: Path) -> JournalStorage:
    """A journal; a line at its end that a power cut has left unfinished is cut off first.

    Raises UserError for a file that is something else, which stays as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with path.open("rb") as file:
        head = file.read(len(_JOURNAL))
    if not _JOURNAL.startswith(head):
        raise UserError(f"--storage {path} is no journal: name another file, or a database's URL")
    # an absolute path to what is there: else Optuna's lock cannot tell how old it is
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        whole = path.read_bytes()
        if whole and not whole.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(whole.rfind(b"\n") + 1)
    finally:
        lock.release()
    return JournalStorage(JournalFileBackend(str(path), lock))


@contextmanager
def _alone(database: str | None) -> Iterator[None]:
    """Within the block no other process of this machine makes the tables of an SQLite file."""
    if not database:
        yield
        return
    with Path(f"{database}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
