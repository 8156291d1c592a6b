"""Scores of what one can hear: the WAV files of data/generated, analysed like any other audio."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.layout import to_network
from melodygan.audio.mel import log_mel
from melodygan.audio.pcm import from_int16
from melodygan.dataset.feature_set import FeatureSet, Patches, Track
from melodygan.pipeline.files import read_rows
from melodygan.scores.audio import chroma_cosine
from melodygan.scores.sets import RealSets
from melodygan.scores.style import StyleClassifier, cut_clips

Float = NDArray[np.float32]
Row = dict[str, Any]

CLIP = 128  # frames of a clip that the style classifier judges
HOP = 64  # frames between clips
CLIPS = 512  # clips per label, at most


class Generated:
    """data/generated beside the real tracks it is judged against."""

    def __init__(self, folder: Path, features: FeatureSet, seed: int) -> None:
        self.features, self.audio, self.seed = features, features.audio, seed
        self.mels: dict[str, Float] = {}
        self.rows: dict[tuple[str, str], list[Row]] = {}
        for row in read_rows(folder / "index.jsonl"):
            samples, _ = soundfile.read(folder / f"{row['name']}.wav", dtype="int16")
            # at the level at which it was made, as the real tracks are
            sound = from_int16(samples) * np.float32(max(1.0, row["peak"]))
            self.mels[row["name"]] = log_mel(sound, self.audio)
            self.rows.setdefault((row["model"], row["kind"]), []).append(row)
        self.test = {track.track: track for track in features.tracks("test")}

    def scores(self) -> dict[str, dict[str, Any]]:
        """By model, then by kind of clip."""
        judges = {
            "sample": self._samples,
            "reconstruction": self._reconstructions,
            "conversion": self._conversions,
        }
        result: dict[str, dict[str, Any]] = {}
        for (model, kind), rows in sorted(self.rows.items()):
            result.setdefault(model, {})[kind] = judges[kind](rows)
        return result

    def _samples(self, rows: list[Row]) -> dict[str, Any]:
        """Set distances of the invented clips to test tracks, between floor and noise."""
        made = [self.mels[row["name"]] for row in rows]
        frames = min(len(mel) for mel in made)
        train, test = (
            [track.mel for track in self.features.tracks(split)] for split in ("train", "test")
        )
        real = RealSets(train, test, frames, self.seed, count=len(made))
        clips = np.stack([mel[:frames] for mel in made])
        return {"clips": real.count, **real.scores(clips)}

    def _reconstructions(self, rows: list[Row]) -> dict[str, float]:
        """Mean log-mel L1 (ln units) and chroma cosine of rebuilt test tracks to the true ones."""
        pairs = [self._pair(row) for row in rows]
        return {
            "log_mel_l1": float(np.mean([np.abs(a - b).mean() for a, b in pairs])),
            "chroma_cosine": float(np.mean([self._chroma(a, b) for a, b in pairs])),
        }

    def _conversions(self, rows: list[Row]) -> dict[str, Any]:
        """By direction: probability of the target's style, and how much harmony is kept."""
        directions = sorted({(row["source"], row["label"]) for row in rows})
        classifier = StyleClassifier(
            {
                label: Patches(self.features.tracks("train", label), CLIP).regular(HOP, CLIPS)
                for label in sorted({label for direction in directions for label in direction})
            }
        )
        result = {}
        for source, target in directions:
            of = [row for row in rows if (row["source"], row["label"]) == (source, target)]
            made = [self.mels[row["name"]] for row in of]
            result[f"{source}_to_{target}"] = {
                "style_probability": classifier.probability(cut_clips(made, CLIP, HOP), target),
                "chroma_cosine": float(np.mean([self._chroma(*self._pair(row)) for row in of])),
            }
        return result

    def _pair(self, row: Row) -> tuple[Float, Float]:
        mel = self.mels[row["name"]]
        track: Track = self.test[row["track"]]
        return np.array(track.mel[: len(mel)]), mel[: len(track.mel)]

    def _chroma(self, true: Float, made: Float) -> float:
        return float(chroma_cosine(to_network(true), to_network(made), self.audio))
