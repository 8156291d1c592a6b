"""What a kill of DVC in the middle of writing leaves: an empty or half-written rwlock or dvc.lock.

DVC refuses both until a person who knows its insides removes them. `mend` sets them aside before
DVC looks; scripts/melodygan_dvc.pth has every `dvc` of this environment call it. Without a lock
file DVC takes what has run from its run-cache, so nothing is lost. Imports little: each `dvc` pays.
"""

import fcntl
import json
import sys
from pathlib import Path
from typing import Any

_DEEPEST = 50  # nested groups; DVC writes five, and what is in params besides


def mend(start: Path | None = None) -> None:
    """Set aside the damaged state files of the DVC repository around `start` (default: here).

    Prints a line for each. Never raises for what the file system refuses: DVC then says more.
    """
    try:
        here = (start or Path.cwd()).resolve()
        root = next((p for p in (here, *here.parents) if (p / ".dvc").is_dir()), None)
        if root is not None:
            _mend_rwlock(root)
            _mend_lock_file(root)
    except OSError:
        return


def _mend_rwlock(root: Path) -> None:
    """Only while no other DVC writes it: that one holds a lock on the file `rwlock.lock`."""
    path = root / ".dvc/tmp/rwlock"
    if not path.is_file() or _sound_rwlock(path):
        return
    with path.with_name("rwlock.lock").open("a+") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not _sound_rwlock(path):
            _set_aside(root, path, "its entries were of processes that have ended")


def _sound_rwlock(path: Path) -> bool:
    try:
        table = json.loads(path.read_bytes())
        writers, readers = table.get("write", {}), table.get("read", {})
        entries = [*writers.values(), *(entry for many in readers.values() for entry in many)]
        return not table.keys() - {"write", "read"} and all(
            isinstance(entry["pid"], int) and isinstance(entry["cmd"], str) for entry in entries
        )
    except FileNotFoundError:
        return True
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return False


def _mend_lock_file(root: Path) -> None:
    path = root / "dvc.lock"
    if not path.is_file():
        return
    content = path.read_bytes()
    # a conflict of a merge is not damage, and the user's to resolve
    if b"\n<<<<<<<" not in content and not _sound_lock_file(content):
        _set_aside(root, path, "DVC's run-cache has what has run")


def _sound_lock_file(content: bytes) -> bool:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(content, loader):  # the loader itself crashes on deep nesting
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                return False
        table = yaml.load(content, loader)
        return isinstance(table["schema"], str) and all(
            isinstance(stage["cmd"], str | list)
            and isinstance(stage.get("params", {}), dict)
            and all(_sound_entry(e) for kind in ("deps", "outs") for e in stage.get(kind, []))
            for stage in table.get("stages", {}).values()
        )
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return False


def _sound_entry(entry: Any) -> bool:
    """A path with a checksum, as DVC writes it for a file or a folder."""
    numbers = [entry[key] for key in ("size", "nfiles") if key in entry]
    return (
        isinstance(entry["path"], str)
        and isinstance(entry.get("md5", ""), str)
        and all(type(number) is int for number in numbers)
    )


def _set_aside(root: Path, path: Path, comfort: str) -> None:
    aside = root / ".dvc/tmp" / f"{path.name}.damaged"
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.replace(aside)
    name, place = path.relative_to(root), aside.relative_to(root)
    print(f"melodygan: {name} was damaged, now {place}: {comfort}", file=sys.stderr, flush=True)
