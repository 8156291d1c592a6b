"""How long an audio file from outside is, found out where it can do no harm.

Damaged files crash decoders or keep them busy for ever, so that work is done in a process of its
own, which other files may use after it.
"""

import json
import pickle
import tempfile
from pathlib import Path

import melodygan
from melodygan.audio.decode import AudioError, open_audio, probe
from melodygan.pipeline.child import Lost, Spec, call
from melodygan.pipeline.files import read_json

_SECONDS = 600.0  # for one file; to decode a day of music takes a few minutes
_RESULT = "result.json"


def duration(file: Path) -> float:
    """Seconds of a file, from its header where that says it. Raises AudioError."""
    return _ask(file, False)


def checked_duration(file: Path, most: float | None = None) -> float:
    """Seconds of a file of which every block was decoded. Raises AudioError.

    most: s; a file that is longer by its header is not decoded, but that length returned.
    """
    seconds = duration(file)
    return seconds if most and seconds > most else _ask(file, True)


def _ask(file: Path, decode: bool) -> float:
    root = str(Path(melodygan.__file__).parents[2])
    spec = Spec(root, code=(), packages=(), work=(__name__, look.__name__), seconds=_SECONDS)
    with tempfile.TemporaryDirectory() as name:
        answer = call(spec, f"{name}/answer", pickle.dumps((file.absolute(), decode)))
        if isinstance(answer, Lost):
            raise AudioError(file.name, str(answer))
        result = read_json(Path(name) / "answer" / _RESULT)
    if "rejected" in result:
        raise AudioError(file.name, result["rejected"])
    return float(result["seconds"])


def look(folder: Path, file: Path, decode: bool) -> None:
    """Write the length of a file into `folder`, or why it has none."""
    result: dict[str, float | str]
    try:
        result = {"seconds": _decoded(file) if decode else probe(file)}
    except AudioError as error:
        result = {"rejected": error.reason}
    (folder / _RESULT).write_text(json.dumps(result))


def _decoded(file: Path) -> float:
    stream = open_audio(file)
    return sum(len(block) for block in stream.blocks) / stream.rate
