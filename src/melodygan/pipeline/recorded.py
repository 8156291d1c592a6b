"""Whether files that DVC has laid down are what it has recorded, or came damaged out of its cache.

DVC (3.67) takes an object of its cache for sound as long as it is write-protected, and a file that
it has copied from there for what it recorded. A bit that flips on the disk, or an object that a
power cut left empty, would so be trained on, and go under a wrong key into the side cache.
"""

import configparser
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.safe_yaml import load_yaml
from melodygan.pipeline.threads import side_by_side

_BLOCK = 1 << 20  # bytes


def sound_md5s(files: Iterable[Path]) -> dict[Path, str]:
    """MD5 of each of `files`, outputs of stages by their paths in the working directory.

    Raises UserError, and removes them from here and from the cache, if some are copies of damaged
    objects of DVC's cache. A file that differs from its record in another way is the user's doing.
    """
    paths = list(files)
    md5s = dict(zip(paths, side_by_side(md5_file, [(path,) for path in paths]), strict=True))
    objects = _objects()
    damaged = [
        (path, made_from)
        for path, md5 in _recorded(objects).items()
        if path in md5s
        and md5s[path] != md5
        and (made_from := _object(objects, md5)).is_file()
        and md5_file(made_from) == md5s[path]
    ]
    for path, made_from in damaged:
        made_from.unlink()
        path.unlink()
    if damaged:
        names = ", ".join(str(path) for path, _ in damaged[:3])
        more = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
        raise UserError(
            f"{names}{more} came damaged out of DVC's cache and are removed there and here: "
            "`dvc repro` makes them again (or `dvc pull`, where they were pushed)"
        )
    return md5s


def is_recorded(copy: Path, lock: str, out: Path) -> bool:
    """Whether `copy` has the bytes that the text of a dvc.lock records for the output `out`.

    True where it records none, as for a file within an output.
    """
    entry = _outs(load_yaml(lock)).get(out.as_posix())
    return entry is None or entry == (_md5_folder(copy) if copy.is_dir() else md5_file(copy))


def md5_file(path: Path) -> str:
    """Hex MD5 of a file's bytes, which is DVC's name for them."""
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            md5.update(block)
    return md5.hexdigest()


def _md5_folder(folder: Path) -> str:
    """DVC's name for a folder: the MD5 of its list of files."""
    files = sorted(path.relative_to(folder).as_posix() for path in _files(folder))
    rows = [{"md5": md5_file(folder / file), "relpath": file} for file in files]
    return hashlib.md5(json.dumps(rows, sort_keys=True).encode()).hexdigest() + ".dir"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _recorded(objects: Path) -> dict[Path, str]:
    """MD5 by path of all files of outputs, as far as dvc.lock and the cache tell."""
    found: dict[Path, str] = {}
    try:
        outs = _outs(load_yaml(Path("dvc.lock").read_bytes()))
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return found  # nothing is recorded yet; DVC itself says more of a broken file
    for out, md5 in outs.items():
        if not md5.endswith(".dir"):
            found[Path(out)] = md5
            continue
        try:
            rows = json.loads(_object(objects, md5).read_bytes())
            found |= {Path(out, row["relpath"]): row["md5"] for row in rows}
        except (OSError, ValueError, TypeError, KeyError):
            continue  # DVC reads such lists before it uses them, and makes the folder again
    return found


def _outs(lock: Any) -> Mapping[str, str]:
    """Name in the cache by output."""
    stages = (lock or {}).get("stages", {}).values()
    entries = [entry for stage in stages for entry in stage.get("outs", [])]
    return {e["path"]: e["md5"] for e in entries if e.get("hash") == "md5" and "md5" in e}


def _object(objects: Path, md5: str) -> Path:
    return objects / md5[:2] / md5[2:]


def _objects() -> Path:
    """Where this checkout's DVC has its objects: `dvc cache dir`, without starting DVC."""
    return Path(".dvc", dvc_setting("cache", "dir", "cache")).resolve() / "files" / "md5"


def dvc_setting(section: str, key: str, value: str) -> str:
    """A setting of this checkout's DVC; `value` where there is none."""
    for name in ("config", "config.local"):
        config = configparser.ConfigParser(interpolation=None)
        try:
            config.read(Path(".dvc", name), "utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # DVC says what is wrong with it
        value = config.get(section, key, fallback=value).strip("'\"")
    return value
