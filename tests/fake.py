"""Made-up folders of a project, as its stages would have written them, and tiny settings for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from melodygan.audio.mel import LOG_SILENCE, MelConfig, log_mel
from melodygan.audio.pcm import from_int16, to_int16
from melodygan.pipeline.files import write_json, write_rows

Float = NDArray[np.float32]
ROOT = Path(__file__).resolve().parents[1]
SPLITS = ("train",) * 4 + ("validation",) * 2 + ("test",) * 2

RUNTIME: dict[str, Any] = {
    "device": "cpu", "precision": "fp32", "threads": 1, "processes": 1, "workers": 1,
    "track_seconds": 60, "backend": "local", "dask_scheduler": "none", "loaders": 0,
    "compile": False, "dvclive": False, "tensorboard": False, "checkpoint_seconds": 1000,
}  # fmt: skip
AUDIO = MelConfig(
    sample_rate=8000, n_fft=256, hop_length=64, win_length=256, n_mels=32, fmin=0.0, fmax=4000.0
)
POOLING = {"n_mfcc": 12, "pool_frames": 64, "pool_hop": 32}
SETTINGS: dict[str, Any] = {
    "steps": 10, "batch_size": 4, "lr": 1e-3, "validate_every": 10, "patience": 0,
    "max_minutes": 0.0, "sample_every": 0,
}  # fmt: skip
# of each model: small enough for seconds, large enough to learn something
MODELS: dict[str, dict[str, Any]] = {
    "vqvae": SETTINGS | {
        "crop": 32, "frames": 64, "stride": 8, "channels": 16, "residual_blocks": 1,
        "codebooks": 1, "codebook_size": 32, "code_dim": 8, "commitment": 0.25, "decay": 0.9,
        "restart_below": 0.125,
    },
    "latent_gan": SETTINGS | {
        "components": 4, "noise_dim": 8, "channels": 8, "penalty": 10.0, "penalty_every": 4,
        "average_decay": 0.9, "loss": "vanilla", "conditional": False,
    },
    "latent_prior": {
        "kind": "autoregressive",
        "autoregressive": SETTINGS | {
            "columns": 8, "channels": 16, "layers": 1, "heads": 2, "dropout": 0.0,
            "label_dropout": 0.1, "weight_decay": 0.0, "soften": 0.0, "transpose": 0,
            "stretch": 0.0, "temperature": 1.0, "top_p": 1.0, "guidance": 1.0,
        },
        "flow": SETTINGS | {
            "columns": 10, "components": 4, "channels": 8, "label_dropout": 0.1,
            "average_decay": 0.9, "solver_steps": 4, "guidance": 1.0,
        },
    },
    "cyclegan": SETTINGS | {
        "lr": 5e-4, "labels": [], "frames": 32, "generator": "resnet", "width": 4, "blocks": 1,
        "residual": True, "cycle": 1.0, "identity": 1.0, "chroma": 1.0, "onset": 1.0,
        "calibrate": True, "pool": 8, "spectral_norm": False, "transpose": 0, "stretch": 0.0,
        "mask": 0.0,
    },
    "pix2pix": SETTINGS | {
        "task": "instrumental", "frames": 32, "width": 4, "output": "mask", "dropout": 0.5,
        "l1": 100.0,
    },
    "wgan_gp": SETTINGS | {
        "space": "latent", "frames": 64, "components": 4, "noise_dim": 8, "label_dim": 4,
        "channels": 8, "critic_steps": 2, "penalty": 10.0, "calibrate": True,
        "average_decay": 0.9,
    },
    "autoencoder": SETTINGS | {
        "hop": 16, "widths": [32], "latent": 16, "dropout": 0.0, "weight_decay": 0.0, "mixup": 1.0,
        "equaliser": 0.3,
    },
    "feature_gan": SETTINGS | {
        "hop": 16, "noise_dim": 16, "width": 16, "penalty": 1.0, "average_decay": 0.9,
    },
    "vocoder": {
        "kind": "magnet",
        "init": "scratch",
        "hears": "truth",
        "magnet": SETTINGS | {"lr": 1e-2, "frames": 32, "channels": 16, "blocks": 2,
                              "quality": "fast"},
        "vocos": SETTINGS | {"frames": 32, "channels": 16, "blocks": 2,
                             "discriminator_channels": 0},
        "melgan": SETTINGS | {"frames": 16, "channels": 4, "rates": [8, 8],
                              "discriminator_channels": 4},
        "hifigan": SETTINGS | {"frames": 32, "channels": 16, "rates": [8, 8], "block": 1,
                               "discriminator_channels": 0},
        "griffinlim": {"iterations": 4},
    },
}  # fmt: skip


@dataclass(frozen=True)
class FakeTrack:
    """One stem of one track. mel: log-mel (frames, n_mels); sound: int16 samples, or None."""

    track: str
    label: str
    split: str
    mel: Float
    sound: NDArray[np.int16] | None = None
    stem: str = "mix"


def of_sound(
    track: str, label: str, split: str, sound: NDArray[np.int16], audio: MelConfig = AUDIO
) -> FakeTrack:
    """A track with the log-mel of its sound."""
    return FakeTrack(track, label, split, log_mel(from_int16(sound), audio), sound)


def noise(tracks: Sequence[FakeTrack], audio: MelConfig = AUDIO) -> list[FakeTrack]:
    """The same tracks with white noise for music, whose log-mel hardly moves."""
    rng = np.random.default_rng(0)
    made = []
    for t in tracks:
        if t.sound is None:
            mel = rng.normal(t.mel.mean(), 0.5, t.mel.shape).astype(np.float32)
            made.append(FakeTrack(t.track, t.label, t.split, mel))
        else:
            sound = to_int16(0.1 * rng.standard_normal(len(t.sound)).astype(np.float32))
            made.append(of_sound(t.track, t.label, t.split, sound, audio))
    return made


def write_params(folder: Path, runtime: dict[str, Any] | None = None, **groups: Any) -> None:
    """Write params.yaml: a seed, `runtime` with changes, and the groups that are given."""
    values = {"seed": 0, "runtime": RUNTIME | (runtime or {}), **groups}
    YAML().dump(values, folder / "params.yaml")


def change_params(folder: Path, changes: dict[str, Any]) -> None:
    """Merge nested `changes` into the params.yaml of `folder`."""
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    _merge(params, changes)
    yaml.dump(params, folder / "params.yaml")


def _merge(table: Any, changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            _merge(table[key], value)
        else:
            table[key] = value


def write_features(
    folder: Path, tracks: Sequence[FakeTrack], audio: MelConfig = AUDIO, stems: Sequence[str] = ()
) -> None:
    """Write a data/features of one shard with the log-mel of `tracks`."""
    folder.mkdir(parents=True, exist_ok=True)
    mel = np.concatenate([track.mel for track in tracks])
    np.save(folder / "mel-00.npy", mel)
    write_rows(folder / "index.jsonl", _rows(tracks, "frames", [len(t.mel) for t in tracks]))
    names = list(stems) or list(dict.fromkeys(track.stem for track in tracks))
    first = np.concatenate([track.mel for track in tracks if track.stem == names[0]])
    numbers = {"mean": float(first.mean()), "std": float(first.std())}
    write_json(
        folder / "meta.json",
        {
            "audio": audio.as_dict(),
            **POOLING,
            "labels": sorted({track.label for track in tracks}),
            "stems": names,
            "statistics": dict.fromkeys(names, numbers),
        },
    )


def write_clean(folder: Path, tracks: Sequence[FakeTrack]) -> None:
    """Write a data/clean of one shard with the sound of `tracks`, and one rejected track."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = [track.sound for track in tracks if track.sound is not None]
    np.save(folder / "audio-00.npy", np.concatenate(sounds))
    rows = _rows(tracks, "samples", [len(sound) for sound in sounds])
    rows = [row | {"gain_db": 0.0, "loudness_after_lufs": -20.0} for row in rows]
    rejected = {"track": "bad", "file": "bad.wav", "rejected": "silent"}
    write_rows(folder / "index.jsonl", [*rows, rejected])


def _rows(tracks: Sequence[FakeTrack], length: str, lengths: Sequence[int]) -> list[dict[str, Any]]:
    starts = np.cumsum([0, *lengths]).tolist()
    return [
        {"track": t.track, "stem": t.stem, "label": t.label, "split": t.split, "shard": 0}
        | {"start": start, length: size}
        for t, start, size in zip(tracks, starts, lengths, strict=False)
    ]


def tunes(labels: Sequence[str], frames: int = 640, audio: MelConfig = AUDIO) -> list[FakeTrack]:
    """Four tracks to train on and two of each other split, of each of the labels beat and drone.

    Tunes in steady time. Drone: held, thin notes. Beat: the notes are struck, and broad.
    """
    return [
        FakeTrack(f"{label}-{n}", label, split, _tune(label, [n, len(label)], frames, audio))
        for label in labels
        for n, split in enumerate(SPLITS)
    ]


def with_stems(mixes: Sequence[FakeTrack]) -> list[FakeTrack]:
    """The mixes, each with an instrumental that lacks what lies above the middle band."""
    made = []
    for mix in mixes:
        mel = mix.mel.copy()
        mel[:, mel.shape[1] // 2 :] -= 3
        stem = replace(mix, mel=np.maximum(mel, LOG_SILENCE), sound=None, stem="instrumental")
        made += [mix, stem]
    return made


def _tune(label: str, seed: Sequence[int], frames: int, audio: MelConfig) -> Float:
    rng = np.random.default_rng(seed)
    time, band = np.arange(frames)[:, None], np.arange(audio.n_mels)[None, :]
    notes = np.repeat(rng.integers(4, 24, -(-frames // 16)), 16)[:frames, None]
    if label == "drone":
        loud = np.exp(-(((band - notes) / 1.0) ** 2))
    else:
        loud = np.exp(-(time % 16) / 5.0) * np.exp(-np.abs(band - notes) / 6.0)
    mel = LOG_SILENCE + 11.0 * loud + 0.3 * rng.standard_normal((frames, audio.n_mels))
    return np.maximum(mel, LOG_SILENCE).astype(np.float32)
