"""Everything the trained models can make, as WAV files with an index."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.audio.picture import spectrogram_png
from melodygan.audio.wav import write_wav
from melodygan.dataset.feature_set import FeatureSet, Track
from melodygan.generation.config import GenerateParams
from melodygan.generation.makers import (
    Converter,
    Extractor,
    Makers,
    Rebuilder,
    Sampler,
    Synthesiser,
)
from melodygan.pipeline.files import write_rows
from melodygan.pipeline.names import file_name
from melodygan.pipeline.threads import side_by_side

Float = NDArray[np.float32]

PICTURES = 8  # of each model and kind


@dataclass(frozen=True)
class Clip:
    """One thing to listen to. mel: log-mel (frames, n_mels), as the model made it.

    kind: sample (invented), conversion (of a test track to another label), extraction (of one stem
    of it from another) or reconstruction (of a test track). track, source: what it was made from,
    and that one's label, or None; label: what it should sound like, or None; of an extraction,
    source and label are stems. A vocoder's reconstructions are test tracks that pass it alone:
    what the others would sound like if their models were perfect.
    """

    model: str
    kind: str
    name: str
    mel: Float
    track: str | None = None
    source: str | None = None
    label: str | None = None

    @property
    def place(self) -> str:
        """Its file below data/generated, without the ending."""
        return f"{self.model}/{self.kind}s/{self.name}"


def make_clips(
    makers: Makers, features: FeatureSet, params: GenerateParams, seed: int
) -> Iterator[Clip]:
    """What each model invents, then every chosen test track rebuilt and converted by each."""
    extractors = makers.able(Extractor)
    for model, sampler in makers.able(Sampler).items():
        yield from _samples(model, sampler, params.samples, seed)
    frames = round(params.seconds * features.audio.frame_rate)
    for track in _chosen(features, params.tracks):
        mel = np.array(track.mel[:frames])
        origin = (track.track, track.label)
        for model in makers.able(Synthesiser):
            yield Clip(model, "reconstruction", file_name(track.track), mel, *origin, track.label)
        for model, rebuilder in makers.able(Rebuilder).items():
            rebuilt = rebuilder.rebuild(mel)
            yield Clip(
                model, "reconstruction", file_name(track.track), rebuilt, *origin, track.label
            )
        for model, extractor in extractors.items():
            yield from _extractions(model, extractor, features, track.track, frames)
        for model, converter in makers.able(Converter).items():
            for source, target in converter.directions:
                if source == track.label and model not in extractors:
                    converted = converter.convert(mel, source, target)
                    name = f"{file_name(track.track)}-to-{file_name(target)}"
                    yield Clip(model, "conversion", name, converted, *origin, target)


def _samples(model: str, sampler: Sampler, count: int, seed: int) -> Iterator[Clip]:
    """`count` clips, as many of each label as of the others."""
    labels: list[str | None] = [*sampler.labels] or [None]
    for index, label in enumerate(labels):
        share = -(-count // len(labels))
        for number, mel in enumerate(sampler.sample(share, seed + index, label)):
            name = f"{file_name(label)}-{number:03d}" if label else f"{number:03d}"
            yield Clip(model, "sample", name, mel, label=label)


def _extractions(
    model: str, extractor: Extractor, features: FeatureSet, track: str, frames: int
) -> Iterator[Clip]:
    """The beginning of a test track, `frames` long, as each stem that can be made of it."""
    for source, target in extractor.directions:
        (whole,) = (t for t in features.tracks("test", stem=source) if t.track == track)
        made = extractor.convert(np.array(whole.mel[:frames]), source, target)
        yield Clip(model, "extraction", f"{file_name(track)}-{target}", made, track, source, target)


def write_clips(
    folder: Path, clips: list[Clip], synthesiser: Synthesiser, audio: MelConfig
) -> None:
    """Synthesise every clip into `<folder>/<model>/<kind>s/<name>.wav` and write index.jsonl.

    Index columns: name (the file without its ending), model, kind, track, source, label, frames,
    peak (of the synthesised sound; above 1 the whole clip is scaled down to 1, not clipped).
    """

    def write(clip: Clip) -> dict[str, Any]:
        path = folder / f"{clip.place}.wav"
        peak = write_wav(path, [synthesiser.synthesise(clip.mel)], audio.sample_rate)
        return {
            "name": clip.place,
            "model": clip.model,
            "kind": clip.kind,
            "track": clip.track,
            "source": clip.source,
            "label": clip.label,
            "frames": len(clip.mel),
            "peak": round(peak, 4),
        }

    rows = side_by_side(write, ((clip,) for clip in clips))
    write_rows(folder / "index.jsonl", sorted(rows, key=lambda row: str(row["name"])))


def draw_clips(folder: Path, clips: list[Clip]) -> None:
    """Write `<folder>/<model>-<kind>-<name>.png` of the first clips of each model and kind."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[tuple[str, str], int] = {}
    for clip in clips:
        group = (clip.model, clip.kind)
        drawn[group] = drawn.get(group, 0) + 1
        if drawn[group] <= PICTURES:
            picture = spectrogram_png(clip.mel)
            (folder / f"{clip.place.replace('/', '-')}.png").write_bytes(picture)


def _chosen(features: FeatureSet, per_label: int) -> list[Track]:
    chosen: list[Track] = []
    for label in features.labels:
        of_label = [track for track in features.tracks("test") if track.label == label]
        chosen += of_label[:per_label]
    return chosen
