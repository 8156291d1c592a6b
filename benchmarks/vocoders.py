"""Vocoders side by side: one CPU budget for every kind, on any folder of music or speech.

    python benchmarks/vocoders.py FOLDER|demo [--kinds magnet:shipped,magnet,vocos]
        [--cpu-seconds 120] [--seed 0]

FOLDER has audio files, at most a minute of each of which is used, at -23 LUFS: every fifth is
tested, the first of the others is left out for validation, the rest are trained on. demo: twenty
tracks of the demo band. Sizes are those of params.yaml, and its `steps` are not read: a kind trains
until its budget is spent, from the weights named after its colon (`vocoder.init`), else from
scratch. Printed for each, on the first 20 s of the tested files: log-mel L1, M-STFT, wide-band PESQ
(of speech alone it says much; for it `uv run --with pesq==0.0.4`), and how many times faster than
real time one thread is; beside it Griffin-Lim 32 and 60 of the mel and 32 of the true magnitude.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from melodygan.audio.decode import decode, resample, to_mono
from melodygan.audio.griffin_lim import griffin_lim, mel_to_magnitude
from melodygan.audio.loudness import integrated_loudness, magnitude, normalising_gain
from melodygan.audio.mel import MelConfig
from melodygan.audio.pcm import to_int16
from melodygan.audio.stft import batch_log_mel, stft
from melodygan.models.vocoder.config import QUALITIES, VocoderParams
from melodygan.models.vocoder.magnet.network import MagNetVocoder
from melodygan.models.vocoder.task import KindTask, scores_of
from melodygan.models.vocoder.training import TASKS, VocoderTask
from melodygan.pipeline.files import write_json, write_rows
from melodygan.pipeline.params import load
from melodygan.sources.demo import demo_plan, render_track
from melodygan.training.data import Data

Sound = NDArray[np.int16]
SECONDS, TESTED = 60, 20
DEMO_TRACKS, DEMO_SECONDS = 20, 24.0
PESQ_RATE = 16000
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def read(folder: Path, rate: int) -> list[Sound]:
    """The first minute of each file in a folder, or the demo band's tracks."""
    if folder.name == "demo":
        tracks = [render_track(*of, DEMO_SECONDS) for _, *of in demo_plan(DEMO_TRACKS)]
        return [levelled(track.mix, track.sample_rate, rate) for track in tracks]
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return [levelled(*decode(path, end=SECONDS), rate) for path in paths]


def levelled(sound: NDArray[np.float32], native: int, rate: int) -> Sound:
    """Mono, at -23 LUFS."""
    mono = resample(to_mono(sound), native, rate)
    gain = normalising_gain(integrated_loudness(mono, rate), magnitude(mono), -23.0, -1.0)
    return to_int16(mono * np.float32(gain))


def write_project(sounds: list[Sound], root: Path, audio: MelConfig) -> list[Sound]:
    """Write what the task reads, below the present folder; return the tested sounds."""
    splits = ["test" if i % 5 == 4 else "train" for i in range(len(sounds))]
    splits[0] = "validation"
    starts = np.cumsum([0, *map(len, sounds)]).tolist()
    rows = [
        {"track": str(i), "stem": "mix", "label": "x", "split": split, "shard": 0, "start": start}
        for i, (split, start) in enumerate(zip(splits, starts, strict=False))
    ]
    for place in ("data/clean", "data/features"):
        Path(place).mkdir(parents=True)
    np.save("data/clean/audio-00.npy", np.concatenate(sounds))
    lengths = [row | {"samples": len(s)} for row, s in zip(rows, sounds, strict=True)]
    write_rows(Path("data/clean/index.jsonl"), lengths)
    np.save("data/features/mel-00.npy", np.zeros((1, audio.n_mels), np.float32))
    frames = [row | {"start": 0, "frames": 1} for row in rows]  # vocoders read the sound alone
    write_rows(Path("data/features/index.jsonl"), frames)
    statistics = {"mean": 0.0, "std": 1.0}
    meta = {"audio": audio.as_dict(), "labels": ["x"], "stems": ["mix"]}
    write_json(Path("data/features/meta.json"), meta | {"statistics": {"mix": statistics}})
    for name in ("params.yaml", "dvc.yaml"):
        Path(name).write_text((root / name).read_text())
    return [sound for sound, split in zip(sounds, splits, strict=True) if split == "test"]


def train(task: KindTask, budget: float, seed: int) -> int:
    """Train for `budget` CPU-seconds; return the steps."""
    for network in task.networks.values():
        network.train()
        if task.channels_last:
            convert_conv2d_weight_memory_format(network, torch.channels_last)
    rates = {name: own.param_groups[0]["lr"] for name, own in task.optimisers.items()}
    began, step = time.process_time(), 0
    while (progress := (time.process_time() - began) / budget) < 1:
        for name, optimiser in task.optimisers.items():
            optimiser.param_groups[0]["lr"] = rates[name] * task.lr_factor(progress, name)
        place = int(progress * task.own.steps)  # as what changes with the steps should see it
        for update in task.updates(task.batch(np.random.default_rng([seed, step])), place):
            optimiser = task.optimisers[update.optimiser]
            optimiser.zero_grad()
            update.loss.backward()
            if task.clip:
                nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], task.clip)
            optimiser.step()
        step += 1
    task.network.eval()
    return step


@torch.no_grad()
def report(
    name: str, make: Callable[[Tensor], Tensor], sounds: list[Tensor], audio: MelConfig
) -> None:
    """Print a row. make: the true sound (1, samples) -> the made one; its mel's time counts too."""
    began = time.process_time()
    made = [make(sound) for sound in sounds]
    spent = time.process_time() - began
    pairs = zip(sounds, made, strict=True)
    rows = [scores_of(a[0].numpy(), b[0].numpy(), audio) for a, b in pairs]
    mel, m_stft = (np.mean([row[key] for row in rows]) for key in ("log_mel_l1", "m_stft"))
    heard = [pesq_of(a[0], b[0], audio) for a, b in zip(sounds, made, strict=True)]
    quality = f"{np.mean([value for value in heard if value]):.2f}" if any(heard) else ""
    speed = sum(sound.shape[1] for sound in sounds) / audio.sample_rate / spent
    print(f"| {name} | {mel:.4f} | {m_stft:.4f} | {quality} | {speed:.0f} |", flush=True)


def pesq_of(true: Tensor, made: Tensor, audio: MelConfig) -> float | None:
    """Wide-band PESQ (ITU-T P.862.2), at most 4.64; None without the package `pesq`."""
    try:
        from pesq import pesq
    except ImportError:
        return None
    both = (resample(sound.numpy(), audio.sample_rate, PESQ_RATE) for sound in (true, made))
    return float(pesq(PESQ_RATE, *both, "wb"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kinds", default=",".join(["magnet:shipped", *TASKS]))
    parser.add_argument("--cpu-seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder, root = options.folder.resolve(), Path.cwd()
    params, audio = load(VocoderParams, "vocoder"), load(MelConfig, "audio")
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        tested = write_project(read(folder, audio.sample_rate), root, audio)
        length, hop = TESTED * audio.sample_rate, audio.hop_length
        sounds = [
            torch.from_numpy(s[: min(len(s), length) // hop * hop] / np.float32(32768))[None]
            for s in tested
        ]
        print("| vocoder | log-mel L1 | M-STFT | PESQ | x real time |\n|---|---|---|---|---|")

        def of_mel(iterations: int) -> Callable[[Tensor], Tensor]:
            return lambda sound: griffin_lim(
                mel_to_magnitude(batch_log_mel(sound, audio), audio), audio, iterations
            )

        report("Griffin-Lim 32", of_mel(32), sounds, audio)
        report("Griffin-Lim 60", of_mel(60), sounds, audio)
        truth = lambda sound: griffin_lim(stft(sound, audio).abs(), audio, 32)  # noqa: E731
        report("true magnitude, Griffin-Lim 32", truth, sounds, audio)
        for named in options.kinds.split(","):
            kind, _, init = named.partition(":")
            torch.manual_seed(options.seed)
            task = VocoderTask.make(
                replace(params, kind=kind, init=init or "scratch"), Data("vocoder")
            )
            of = lambda network: lambda sound: network(batch_log_mel(sound, audio))  # noqa: E731
            if not init:
                report(f"{kind}, untrained", of(task.without[-1].network), sounds, audio)
            else:
                report(f"{kind}, {init}", of(task.network), sounds, audio)
            steps = train(task, options.cpu_seconds, options.seed)
            report(f"{named}, {steps} steps", of(task.network), sounds, audio)
            if isinstance(task.network, MagNetVocoder):
                for quality, task.network.iterations in QUALITIES.items():
                    report(f"the same, {quality}", of(task.network), sounds, audio)


if __name__ == "__main__":
    main()
