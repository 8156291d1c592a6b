"""The model card of a pack: README.md with the head that the Hugging Face Hub reads.

Format: https://huggingface.co/docs/hub/model-cards. What it says of data and scores is what stands
in this project, and only if dvc.lock records that the packed weights were made here.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from melodygan.generation.makers import Converter, Sampler
from melodygan.pipeline.files import read_json
from melodygan.pipeline.guard import stage_table
from melodygan.pipeline.recorded import is_recorded
from melodygan.pipeline.safe_yaml import load_yaml
from melodygan.sharing.manifest import Manifest
from melodygan.sources.lockfile import LockedTrack, read_lock

Scores = dict[str, dict[str, float]]

LOCK = Path("data/sources.lock.yaml")
# licences that the Hub knows by the names that SPDX has, in small letters
HUB = ("cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0")
STRANGE = (
    "These weights are not what dvc.lock of the project that packed them records, so nothing "
    "certain can be said of {}."
)
LIMITS = """\
- It knows the music above and no other, heard some seconds at a time: do not expect form.
- What it makes may resemble the pieces that it was trained on; `memorisation`, where it is among
  the scores, falls towards its `copies` value when it does.
- The scores are on this project's own test tracks, which no model has seen, and on no public test.
- What may be done with its sound depends on the licences of the music too."""


def card(model: Any, manifest: Manifest, exported: str) -> str:
    """README.md of the pack with this manifest. model: the packed one, loaded; exported: of ONNX.

    Raises UserError for a lock file or scores that are broken.
    """
    name, known = manifest.model, trained_here(manifest.model)
    tracks = read_lock(LOCK).tracks if known else []
    scores = flat(read_json(Path(f"metrics/{name}.json"))) if known else {}
    mel = ", ".join(f"{key} {value}" for key, value in sorted(manifest.audio.as_dict().items()))
    about = str(stage_table(name).get("desc", ""))
    sections = [
        f"---\n{yaml.safe_dump(head(name, tracks, scores), allow_unicode=True)}---\n",
        f"# {name}\n\n{about}\n",
        "## Use\n\nIn a checkout of MelodyGAN (nothing is unpickled, sizes and hashes are checked):"
        "\n\n```\nuv run melodygan use PATH    # this folder, or its ZIP file\n"
        f"{_command(name, model)}\n```\n\n"
        f"Sound comes at {manifest.audio.sample_rate} Hz, mono. {exported}\n",
        f"## Trained on\n\n{_data(tracks) if known else STRANGE.format('their music')}\n",
        f"## Scores\n\n{_table(scores) if known else STRANGE.format('their scores')}\n",
        f"## Limits\n\n{LIMITS}\n",
        f"## Versions\n\nPacked by melodygan {manifest.melodygan}. Log-mel: {mel}; natural log of "
        "max(magnitude, 1e-5), slaney scale and area, no centring. Of songs they have heard the "
        f"{manifest.stem}, at {manifest.loudness_lufs:g} LUFS.\n",
        _files(manifest),
    ]
    return "\n".join(sections)


def trained_here(name: str) -> bool:
    """Whether dvc.lock records models/NAME as it is."""
    lock, folder = Path("dvc.lock"), Path("models", name)
    text = lock.read_text("utf-8") if lock.is_file() else "stages: {}"
    return name in load_yaml(text)["stages"] and is_recorded(folder, text, folder)


def head(name: str, tracks: list[LockedTrack], scores: Scores) -> dict[str, Any]:
    """The card's YAML. With one licence of all music that is the model's, else `other`."""
    licences = {(track.licence or "").lower() for track in tracks}
    licence = licences.pop() if len(licences) == 1 else ""
    values: dict[str, Any] = {
        "library_name": "melodygan",
        "license": licence if licence in HUB else "other",
        "tags": ["audio", "music", "melodygan", name.replace("_", "-")],
    }
    if scores:
        results = [
            {"type": score, "name": score.replace("_", " "), "value": of["value"]}
            for score, of in scores.items()
        ]
        task = {"type": "audio-generation", "name": "audio generation"}
        data = {"type": "own-music", "name": "this project's test tracks"}
        values["model-index"] = [
            {"name": name, "results": [{"task": task, "dataset": data, "metrics": results}]}
        ]
    return values


def flat(scores: dict[str, Any], before: str = "") -> Scores:
    """Scores of a metrics file that stand between anchors, by name: `value` and its anchors."""
    found: Scores = {}
    for name, of in scores.items():
        if not isinstance(of, dict):
            continue
        numbers = {key: float(n) for key, n in of.items() if isinstance(n, int | float)}
        if "value" in numbers:
            found[before + name] = numbers
        else:
            found |= flat(of, f"{before}{name} ")
    return found


def _table(scores: Scores) -> str:
    rows = []
    for name, of in scores.items():
        anchors = ", ".join(f"{key} {n:.4g}" for key, n in of.items() if key != "value")
        rows.append(f"| {name} | {of['value']:.4g} | {anchors} |")
    top = "Between what other sounds would get:\n\n| score | value | anchors |\n|---|---|---|\n"
    return top + "\n".join(rows) if rows else "It has none between anchors."


def _data(tracks: list[LockedTrack]) -> str:
    """Tracks, length and licences of each label."""
    rows = []
    for label in sorted({track.label for track in tracks}):
        ours = [track for track in tracks if track.label == label]
        lengths = [track.duration for track in ours if track.duration is not None]
        minutes = f"{sum(lengths) / 60:.1f}" if len(lengths) == len(ours) else "unknown"
        counts = Counter(track.licence or "not stated" for track in ours)
        licences = ", ".join(f"{licence} ({n})" for licence, n in sorted(counts.items()))
        rows.append(f"| {label.replace('|', '/')} | {len(ours)} | {minutes} | {licences} |")
    top = "| label | tracks | minutes | licences |\n|---|---|---|---|\n"
    rest = "\n\nSome of the tracks were kept for validation and tests, and some may be unusable."
    return top + "\n".join(rows) + rest


def _command(name: str, model: Any) -> str:
    if isinstance(model, Converter) and model.directions:
        source, target = model.directions[0]
        return f"uv run melodygan convert SONG.wav --from '{source}' --to '{target}' -o OUT.wav"
    if isinstance(model, Sampler):
        label = f" --label '{model.labels[0]}'" if model.labels else ""
        return f"uv run melodygan generate --model {name}{label} -o OUT/"
    return "uv run melodygan doctor    # nothing plays by this model alone"


def _files(manifest: Manifest) -> str:
    rows = [f"| {f.path} | {f.bytes:,} | {f.sha256[:16]}... |" for f in manifest.files]
    return "| file | bytes | SHA-256 |\n|---|---|---|\n" + "\n".join(rows) + "\n"
