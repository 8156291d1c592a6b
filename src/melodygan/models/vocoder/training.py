"""MagNet's data, loss and validation, and any vocoder's scores beside Griffin-Lim's."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from melodygan.audio.griffin_lim import griffin_lim, mel_to_magnitude
from melodygan.audio.mel import MelConfig
from melodygan.audio.pcm import from_int16
from melodygan.audio.stft import log_mel, mel_of_magnitude, stft
from melodygan.dataset.feature_set import FeatureSet
from melodygan.dataset.shards import shard_path
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.network import MagNet, log_prior
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_rows
from melodygan.scores.audio import log_mel_l1, multi_resolution_stft
from melodygan.training.task import Batch, Limit, Samples, Task, Update

FLOOR = 1e-3  # magnitude; below it, errors are inaudible and would drown the audible ones
HELD_OUT_SECONDS = 20
SAMPLE_SECONDS = 5
HELD_OUT_TRACKS = 64  # at most so many are scored, spread evenly


class CleanAudio:
    """Audio of one split and stem from data/clean: memory-mapped int16 per track."""

    def __init__(self, folder: Path, split: str, stem: str) -> None:
        self.tracks: list[NDArray[np.int16]] = []
        for row in read_rows(folder / "index.jsonl"):
            if row.get("split") == split and row["stem"] == stem:
                shard = np.load(shard_path(folder, "audio", row["shard"]), mmap_mode="r")
                self.tracks.append(shard[row["start"] : row["start"] + row["samples"]])
        if not self.tracks:
            raise UserError(
                f"{folder}: no {split} track of stem {stem}: add tracks to data/sources.yaml, or "
                "see the rejects in metrics/preprocess.json"
            )

    def random(self, count: int, samples: int, rng: np.random.Generator) -> Tensor:
        """`count` crops, every position of every track equally likely; (count, samples)."""
        room = [max(0, len(track) - samples + 1) for track in self.tracks]
        ends = np.cumsum(room)
        if not ends[-1]:
            raise UserError(
                f"no training track has {samples} samples: lower vocoder.frames in params.yaml"
            )
        crops = []
        for place in rng.integers(0, ends[-1], count):
            index = int(np.searchsorted(ends, place, side="right"))
            start = place - ends[index] + room[index]
            crops.append(from_int16(self.tracks[index][start : start + samples]))
        return torch.from_numpy(np.stack(crops))

    def heads(self, samples: int) -> list[Tensor]:
        """The first `samples` of each track, (1, at most samples), of at most 64 tracks."""
        chosen = self.tracks
        if len(chosen) > HELD_OUT_TRACKS:
            places = np.linspace(0, len(chosen) - 1, HELD_OUT_TRACKS).round().astype(int)
            chosen = [chosen[i] for i in places]
        return [torch.from_numpy(from_int16(track[:samples]))[None] for track in chosen]


class VocoderTask(Task):
    """Minimises L1 of the natural log-magnitude with AdamW."""

    score = "log_magnitude_l1"
    compiled = ("magnet",)
    clip = 1.0
    limits = (
        Limit(
            "validation",
            "contrast",
            0.2,
            2,
            "the magnitudes are almost flat",
            "lower vocoder.lr, or use longer crops (vocoder.frames)",
        ),
    )

    def __init__(self, params: VocoderParams, features: FeatureSet, clean: Path) -> None:
        self.params, self.audio = params, features.audio
        self.network = MagNet(self.audio, params.channels, params.blocks, *features.statistics())
        self.networks = {"magnet": self.network}
        adam = torch.optim.AdamW(
            self.network.parameters(), params.lr, betas=(0.9, 0.99), fused=True
        )
        self.optimisers = {"magnet": adam}
        self.train_audio = CleanAudio(clean, "train", features.stem)
        held_out = CleanAudio(clean, "validation", features.stem)
        self.held_out = held_out.heads(_seconds(HELD_OUT_SECONDS, self.audio))

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of sound; their transforms are the device's work, see `updates`."""
        samples = self.params.frames * self.audio.hop_length
        return {"audio": self.train_audio.random(self.params.batch_size, samples, rng)}

    def updates(self, batch: Batch, step: int) -> Iterator[Update]:
        """One update."""
        mel, prior, magnitude = self.example(batch["audio"])
        answer = self.network(mel, prior)
        yield Update("magnet", log_magnitude_l1(answer.float(), magnitude))

    def lr_factor(self, progress: float) -> float:
        """Up over the first twentieth, then down to zero as a cosine."""
        return min(1.0, 0.01 + 20 * progress) * 0.5 * (1 + math.cos(math.pi * progress))

    def validate(self) -> dict[str, float]:
        """L1 of the log-magnitude on validation tracks; `prior` is the untrained answer's."""
        device = self.network.mean.device
        losses, priors, contrasts = [], [], []
        for audio in self.held_out:
            mel, prior, magnitude = self.example(audio.to(device))
            answer = self.network(mel, prior).float()
            losses.append(float(log_magnitude_l1(answer, magnitude)))
            truth = magnitude.clamp_min(FLOOR).log()
            contrasts.append(float(answer.std() / truth.std().clamp_min(1e-6)))
            priors.append(float(log_magnitude_l1(prior, magnitude)))
        return {
            "log_magnitude_l1": float(np.mean(losses)),
            "prior_log_magnitude_l1": float(np.mean(priors)),
            "contrast": float(np.mean(contrasts)),
        }

    def samples(self) -> dict[str, Samples]:
        """The beginning of a validation track, and what is made of its mel."""
        sound = self.held_out[0][:, : _seconds(SAMPLE_SECONDS, self.audio)]
        made = self.trained().synthesise(log_mel(sound, self.audio)[0].T.numpy())
        return {"original": sound[0].numpy(), "rebuilt": made}

    def trained(self) -> Vocoder:
        """The vocoder in its present state."""
        return Vocoder(self.params, self.audio, self.network)

    def example(self, audio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-mel, prior and magnitude of sounds (batch, samples), each (batch, bins, frames).

        All in full precision, wherever the network runs in a reduced one. Mel and magnitude come
        from one transform of the crop, so its reflected ends, which differ from the sound in the
        track, still are a true pair.
        """
        with torch.autocast(audio.device.type, enabled=False):
            magnitude = stft(audio, self.audio).abs()
            mel = mel_of_magnitude(magnitude, self.audio)
            return mel, log_prior(mel, self.audio), magnitude


def log_magnitude_l1(answer: Tensor, magnitude: Tensor) -> Tensor:
    """Mean absolute error of a natural log-magnitude; a scalar.

    Where the truth is below 1e-3, any answer below 1e-3 is right. (Flooring both sides would be
    the same measure for loud bins, but give none a slope that starts below the floor, as all bins
    above `fmax` do.)
    """
    error = answer - magnitude.clamp_min(FLOOR).log()
    return torch.where(magnitude > FLOOR, error.abs(), error.relu()).mean()


@torch.no_grad()
def held_out_scores(vocoder: Vocoder, clean: Path, stem: str) -> dict[str, dict[str, float]]:
    """Copy synthesis of the first 20 s of test tracks: mean log-mel L1 and M-STFT, lower is better.

    value: the vocoder's. griffin_lim_32: that of 32 fast Griffin-Lim iterations on pinv(mel).
    """
    config = vocoder.audio
    rows = []
    for audio in CleanAudio(clean, "test", stem).heads(_seconds(HELD_OUT_SECONDS, config)):
        mel = log_mel(audio, config)
        made = torch.from_numpy(vocoder.synthesise(mel[0].T.numpy()))[None]
        baseline = griffin_lim(mel_to_magnitude(mel, config), config, 32)
        truth = audio[:, : made.shape[1]]
        rows.append([_scores(truth, mel, sound, config) for sound in (made, baseline)])
    values, baselines = torch.tensor(rows).mean(0).tolist()
    return {
        key: {"value": value, "griffin_lim_32": baseline}
        for key, value, baseline in zip(("log_mel_l1", "m_stft"), values, baselines, strict=True)
    }


def _scores(truth: Tensor, mel: Tensor, sound: Tensor, config: MelConfig) -> tuple[float, float]:
    mel_error = log_mel_l1(log_mel(sound, config), mel)
    return float(mel_error), float(multi_resolution_stft(truth, sound))


def _seconds(seconds: int, config: MelConfig) -> int:
    return seconds * config.sample_rate // config.hop_length * config.hop_length
