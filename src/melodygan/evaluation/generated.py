"""Scores of what one can hear: the WAV files of data/generated, analysed like any other audio."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import log_mel
from melodygan.audio.pcm import from_int16
from melodygan.dataset.feature_set import FeatureSet, Patches, Track
from melodygan.pipeline.files import read_rows
from melodygan.scores.audio import chroma_cosine
from melodygan.scores.sets import RealSets
from melodygan.scores.style import StyleClassifier, cut_clips

Float = NDArray[np.float32]

CLIP = 128  # frames of a clip that the style classifier judges
HOP = 64  # frames between clips
CLIPS = 512  # clips per label, at most


class Generated:
    """data/generated beside the real tracks it is judged against."""

    def __init__(self, folder: Path, features: FeatureSet, seed: int) -> None:
        self.features, self.audio, self.seed = features, features.audio, seed
        self.mels: dict[str, Float] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for row in read_rows(folder / "index.jsonl"):
            samples, _ = soundfile.read(folder / f"{row['name']}.wav", dtype="int16")
            self.mels[row["name"]] = log_mel(from_int16(samples), self.audio)
            self.rows.setdefault(row["kind"], []).append(row)
        self.test = {track.track: track for track in features.tracks("test")}

    def samples(self) -> dict[str, Any]:
        """Set distances of the invented clips to test tracks, between floor and noise."""
        made = [self.mels[row["name"]] for row in self.rows["sample"]]
        frames = min(len(mel) for mel in made)
        train, test = (
            [track.mel for track in self.features.tracks(split)] for split in ("train", "test")
        )
        real = RealSets(train, test, frames, self.seed, count=len(made))
        clips = np.stack([mel[:frames] for mel in made])
        return {"clips": real.count, **real.scores(clips)}

    def rebuilt(self, kind: str) -> dict[str, float]:
        """Mean log-mel L1 (ln units) and chroma cosine of rebuilt test tracks to the true ones."""
        pairs = [self._pair(row) for row in self.rows[kind]]
        return {
            "log_mel_l1": float(np.mean([np.abs(a - b).mean() for a, b in pairs])),
            "chroma_cosine": float(np.mean([self._chroma(a, b) for a, b in pairs])),
        }

    def conversions(self) -> dict[str, Any]:
        """By direction: probability of the target's style, and how much harmony is kept.

        `identity` is the same for the unconverted track through the same vocoder.
        """
        rows = self.rows.get("conversion", [])
        directions = sorted({(row["source"], row["label"]) for row in rows})
        if not directions:
            return {}
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
            same = [self.mels[f"originals/{row['track']}"] for row in of]
            result[f"{source}_to_{target}"] = {
                "style_probability": {
                    "value": classifier.probability(cut_clips(made, CLIP, HOP), target),
                    "identity": classifier.probability(cut_clips(same, CLIP, HOP), target),
                },
                "chroma_cosine": {
                    "value": float(np.mean([self._chroma(*self._pair(row)) for row in of])),
                    "identity": float(
                        np.mean(
                            [self._chroma(*self._pair(r, s)) for r, s in zip(of, same, strict=True)]
                        )
                    ),
                },
            }
        return result

    def _pair(self, row: dict[str, Any], made: Float | None = None) -> tuple[Float, Float]:
        mel = self.mels[row["name"]] if made is None else made
        track: Track = self.test[row["track"]]
        return np.array(track.mel[: len(mel)]), mel[: len(track.mel)]

    def _chroma(self, true: Float, made: Float) -> float:
        a, b = (torch.from_numpy(np.ascontiguousarray(mel.T))[None] for mel in (true, made))
        return float(chroma_cosine(a, b, self.audio))
