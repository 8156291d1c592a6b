"""`melodygan check`: which files preprocessing would leave out, and why, before anything is run."""

import pickle
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import melodygan
from melodygan.audio.mel import MelConfig
from melodygan.audio.source import Extent
from melodygan.dataset.clean import RESULT, CleanSettings, clean_track
from melodygan.dataset.duplicates import duplicate_groups
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.dataset.recordings import PRINT, SAME
from melodygan.generation.progress import shown
from melodygan.pipeline.child import Lost, Spec, call
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_json, write_json
from melodygan.pipeline.params import load
from melodygan.pipeline.runtime import Runtime
from melodygan.separation.track import separate_file
from melodygan.sources.folder import list_files

_STEMS = "stems"


def check(paths: Sequence[Path]) -> tuple[list[str], int]:
    """A line for each file, and how many of them are no use. paths: files, or folders of them."""
    rows = verdicts(named(paths))
    lines = [f"{row['file']}: {row.get('rejected') or _fine(row)}" for row in rows]
    rejected = sum("rejected" in row for row in rows)
    fine = len(rows) - rejected
    return [*lines, f"{fine} of {len(rows)} files can be used"], rejected


def verdicts(files: Sequence[tuple[str, Path]]) -> list[dict[str, Any]]:
    """Of each file, by the name given to it: `seconds` that stay of it, or why it is `rejected`.

    What preprocessing does to the mix, with the settings of params.yaml: decoding, each file in a
    child process with its time limit; trimming; levels; the same recording twice. A song is not
    taken apart, so that an instrumental that turns out to be silent is not foreseen.
    """
    settings = load(PreprocessParams, "preprocess").settings(load(MelConfig, "audio").sample_rate)
    root = str(Path(melodygan.__file__).parents[2])
    work = (__name__, look.__name__)
    spec = Spec(root, (), (), work, Runtime.read().track_seconds)
    rows: list[dict[str, Any]] = []
    prints = []
    with tempfile.TemporaryDirectory() as name:
        # one by one: the page shows how far it is
        for number, (file, path) in enumerate(_counted(files)):
            folder = Path(name) / str(number)
            answer = call(spec, str(folder), pickle.dumps((path.absolute(), settings)))
            if isinstance(answer, Lost):
                rows.append({"file": file, "rejected": str(answer)})
                continue
            rows.append({"file": file} | read_json(folder / RESULT))
            if "rejected" not in rows[-1]:
                prints.append((len(rows) - 1, np.load(folder / PRINT)))
            shutil.rmtree(folder)
    for group in duplicate_groups([print_ for _, print_ in prints]):
        first, *others = sorted(prints[index][0] for index in group)
        for index in others:
            rows[index] = {"file": rows[index]["file"], "rejected": SAME + rows[first]["file"]}
    return rows


def look(folder: Path, file: Path, settings: CleanSettings) -> None:
    """Write into `folder` what becomes of one file: `seconds`, or `rejected`; its fingerprint."""
    stems = folder / _STEMS
    stems.mkdir()
    separate_file(stems, str(file), None, None, None)
    facts = read_json(stems / RESULT)
    if "rejected" not in facts:
        mix = {"mix": Extent(stems / "mix.flac")}
        clean_track(folder, mix, {"mix": "mix"}, facts["clipped"], settings)
        facts = read_json(folder / RESULT)
        (folder / "mix.npy").unlink(missing_ok=True)
    if "rejected" not in facts:
        kept = facts["mix"]
        facts = {
            "seconds": round(kept["samples"] / settings.sample_rate, 1),
            "before": round(kept["seconds_before"], 1),
        }
    write_json(folder / RESULT, facts)
    shutil.rmtree(stems)


def named(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """Each file of files and folders, with the name to call it. Raises UserError for none."""
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            files = list_files(str(path.absolute()), print)
            found += [(file.relative, file.path) for file in files]
        elif path.is_file():
            found.append((path.name, path))
        else:
            raise UserError(f"{path}: neither a file nor a folder: mend its name")
    if not found:
        raise UserError(f"{paths[0]}: no files in it: choose a folder of music")
    return found


def _counted(files: Sequence[tuple[str, Path]]) -> Iterable[tuple[str, Path]]:
    for one in shown(([file] for file in files), len(files), "checking"):
        yield one[0]


def _fine(row: dict[str, Any]) -> str:
    return f"{row['seconds']} s of {row['before']} s can be used"
