"""The section on separation: stems of one track to hear and to see, beside the true ones."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from melodygan.audio.decode import decode, to_mono
from melodygan.audio.mel import MelConfig
from melodygan.evaluation.players import player
from melodygan.page.markup import name, number
from melodygan.pipeline.files import read_json

SAMPLE = Path("metrics/separate")  # what the stage separate leaves to be heard
SCORES = Path("metrics/separate.json")
SHOWN = ("mixture", "true vocals", "vocals", "true instrumental", "instrumental")
SEPARATED = ("vocals", "instrumental")


def stems_section(sample: Path, scores: Mapping[str, Any], audio: MelConfig) -> Iterator[str]:
    """The stems that lie in `sample` (separation/sample.py), and the stage's `scores`.

    Nothing where no track was separated.
    """
    said = read_json(sample / "sample.json")
    if not said:
        return
    known = "true vocals" in said["files"]
    yield '<h2 id="separate">separate</h2><p>What the models train on was taken out of the '
    yield f"mixtures first. Ten seconds of {name(said['track'])}, {name(said['label'])}: "
    yield (
        "the true stems beside the separated ones.</p>"
        if known
        else ("the mixture beside the separated stems; the true ones are not known.</p>")
    )
    yield from _gain(scores)
    yield '<div class="pair">'
    for what in SHOWN:
        if file := said["files"].get(what):
            if what == "true vocals":
                yield '</div><div class="pair">'  # from here on in twos
            sound = to_mono(decode(sample / file, audio.sample_rate)[0])
            more = ", separated" if what in SEPARATED else ""
            yield player(sound, audio, f"<b>{what}</b>{more}", f"{said['track']}, {what}{more}")
    yield "</div>"


def _gain(scores: Mapping[str, Any]) -> Iterator[str]:
    """How much nearer to the truth than the mixture, in words."""
    if gain := scores.get("si_sdr_improvement_db"):
        yield f"<p>{number(gain['mean'], 1)} dB nearer to the true stems than the mixture is "
        yield f"(SI-SDR), as a mean of {scores['scored']:,} tracks; "
        yield f"{number(gain['min'], 1)} dB on the worst of them.</p>"
