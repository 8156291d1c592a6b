"""Sounds inside the page: MP3 in the text itself, with the picture of what one hears."""

import base64
import io
from collections.abc import Iterator, Sequence

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, log_mel
from melodygan.evaluation.generated import Judge
from melodygan.evaluation.index import Made
from melodygan.page.charts import spectrogram
from melodygan.page.markup import name, safe

Float = NDArray[np.float32]

SECONDS = 10.0  # of each sound, from its start: the page is to be mailed
SAMPLES, PAIRS = 3, 2  # shown of each model
COMPRESSION = 0.6  # of soundfile's MP3: 64 kbit/s at 22,050 Hz


def mp3(sound: Float, rate: int) -> bytes:
    """Compress (samples,) at `rate` Hz. Unlike Ogg, which numbers its streams at random, equal
    sounds are equal bytes.
    """
    file = io.BytesIO()
    soundfile.write(
        file,
        sound,
        rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=COMPRESSION,
    )
    return file.getvalue()


def player(sound: Float, audio: MelConfig, caption: str, title: str) -> str:
    """A figure to see and to hear the beginning of a sound. caption: HTML; title: plain text."""
    sound = sound[: round(SECONDS * audio.sample_rate)]
    chart = spectrogram(log_mel(sound, audio), 0.0, audio, f"Log-mel spectrogram: {title}")
    data = base64.b64encode(mp3(sound, audio.sample_rate)).decode()
    return (
        f"<figure><figcaption>{caption}</figcaption>{chart}"
        f'<audio controls preload="metadata" aria-label="{safe(title)}" '
        f'src="data:audio/mpeg;base64,{data}"></audio></figure>'
    )


def listen(kind: str, made: Sequence[Made], judge: Judge) -> Iterator[str]:
    """Some clips of one model and kind, beside the real thing."""
    if kind == "sample":
        yield from _samples(made, judge)
        return
    words = {"reconstruction": "rebuilt", "conversion": "converted", "extraction": "reduced"}
    word = words[kind]
    for clip in _one_of_each(made):
        track = name(str(clip.track))
        origin = f"<b>{track}</b>, the true sound, {name(str(clip.source))}"
        goal = "" if kind == "reconstruction" else f" to {name(str(clip.label))}"
        yield '<div class="pair">'
        yield player(judge.true_sound(clip), judge.audio, origin, f"{clip.track}, true")
        caption = f"<b>{track}</b>, {word}{goal}"
        yield player(clip.sound, judge.audio, caption, f"{clip.track}, {word} by {clip.model}")
        yield "</div>"


def _samples(made: Sequence[Made], judge: Judge) -> Iterator[str]:
    yield '<div class="thirds">'
    shown = _one_of_each(made, SAMPLES)
    for number, clip in enumerate(shown, 1):
        label = f", asked for {name(clip.label)}" if clip.label else ""
        caption = f"<b>invented</b>, clip {number}{label}"
        yield player(clip.sound, judge.audio, caption, f"clip {number} of {clip.model}")
    length = max(len(clip.sound) for clip in shown)
    for track, sound in judge.some_test_sounds(SAMPLES, length):
        caption = f"<b>real</b>, {name(track.track)}, {name(track.label)}"
        yield player(sound, judge.audio, caption, f"{track.track}, real")
    yield "</div>"


def _one_of_each(made: Sequence[Made], most: int = PAIRS) -> list[Made]:
    """The first of each label or direction, then the second, as long as there is room."""
    turn: dict[tuple[str | None, str | None], int] = {}
    places = []
    for clip in made:
        group = (clip.source, clip.label)
        turn[group] = turn.get(group, 0) + 1
        places.append(turn[group])
    order = sorted(range(len(made)), key=lambda i: places[i])
    return [made[i] for i in sorted(order[:most])]
