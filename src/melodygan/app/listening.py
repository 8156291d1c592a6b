"""What the pipeline has made, for the page Listen: read anew each time from data/ and metrics/."""

import hashlib
from pathlib import Path
from typing import Any

from melodygan.audio.mel import MelConfig
from melodygan.dataset.clean_audio import CleanAudio
from melodygan.evaluation.index import KINDS, Made, read_index
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_json
from melodygan.pipeline.guard import stage_table
from melodygan.pipeline.params import load

MADE, CLEAN, METRICS = Path("data/generated"), Path("data/clean"), Path("metrics")
REPORT, DATA = METRICS / "report.html", METRICS / "data.html"


def gallery() -> dict[str, Any]:
    """Every model with its verdict and all clips, by kind. Raises UserError where none are made."""
    groups = read_index(MADE, load(MelConfig, "audio"))
    models: dict[str, dict[str, Any]] = {}
    for (model, kind), clips in groups.items():
        entry = models.setdefault(model, {"name": model, **_about(model), "kinds": []})
        entry["kinds"].append(
            {"title": KINDS.get(kind, kind), "clips": [_clip(clip) for clip in clips]}
        )
    ordered = sorted(models.values(), key=lambda m: _order(m["kinds"]))
    return {"models": ordered, "report": REPORT.is_file()}


def _order(kinds: list[dict[str, Any]]) -> int:
    titles = list(KINDS.values())
    return min((titles.index(k["title"]) for k in kinds if k["title"] in titles), default=9)


def _about(model: str) -> dict[str, str]:
    """The stage's description and its verdict, where there are any."""
    try:
        about = str(stage_table(model).get("desc", ""))
    except (UserError, KeyError):
        about = ""
    return {"about": about, "verdict": verdict(model)}


def verdict(stage: str) -> str:
    """What a stage's training ended with, or nothing."""
    try:
        return str(read_json(METRICS / stage / "run.json")["verdict"])
    except (UserError, KeyError, TypeError):
        return ""  # it is being trained, or never was


def _clip(clip: Made) -> dict[str, Any]:
    facts = {"track": clip.track, "source": clip.source, "label": clip.label}
    picture = _picture(clip).is_file()
    return {"id": _id(clip), **facts, "picture": picture, "real": clip.track is not None}


def _id(clip: Made) -> str:
    """Says nothing of where the file lies."""
    return hashlib.sha256(str(clip.path).encode()).hexdigest()[:20]


def _picture(clip: Made) -> Path:
    place = clip.path.relative_to(MADE).with_suffix("").as_posix()
    return METRICS / "generate" / f"{place.replace('/', '-')}.png"


def find(id_: str, what: str) -> Path | tuple[Any, int] | None:
    """A clip's file, its picture's, or the (int16 samples, Hz) of the real music that it is of.

    what: sound, picture or real. None where there is no such thing.
    """
    try:
        groups = read_index(MADE, load(MelConfig, "audio"))
    except UserError:
        return None
    clip = next((c for clips in groups.values() for c in clips if _id(c) == id_), None)
    if clip is None:
        return None
    if what == "real":
        return _real(clip)
    path = clip.path if what == "sound" else _picture(clip)
    return path if path.is_file() else None


def _real(clip: Made) -> tuple[Any, int] | None:
    """The beginning of the test track that a clip was made from, as long as the clip."""
    stems = read_json(CLEAN / "meta.json")["stems"]
    stem = clip.source if clip.kind == "extraction" else stems[0]
    try:
        audio = CleanAudio(CLEAN, "test", str(stem))
    except UserError:
        return None
    if clip.track not in audio.names:
        return None
    return audio.tracks[audio.names.index(clip.track)][: len(clip.sound)], clip.audio.sample_rate
