"""How much faster than it plays music is made, how soon it is heard, and in how much memory.

    OMP_NUM_THREADS=1 python benchmarks/play_speed.py RUN_FOLDER [--seconds 60] [--model NAME]

RUN_FOLDER is a checkout in which the models lie that dvc.yaml names for `generate`. One thread;
CPU time of one piece (batch 1), with vocoder. The share of the vocoder is that of one that only
gets silence.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.generation.makers import Makers
from melodygan.generation.play import ENDLESS, PIECE, invented
from melodygan.pipeline.params import load

Float = NDArray[np.float32]


def megabytes() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(sound: Iterator[Float], samples: int) -> tuple[float, float, list[float]]:
    """CPU seconds until the first piece and in all, and the memory after each piece."""
    start, first, made, memory = time.process_time(), 0.0, 0, []
    while made < samples:
        made += len(next(sound))
        first = first or time.process_time() - start
        memory.append(megabytes())
    return first, (time.process_time() - start) * samples / made, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.chdir(options.folder)
    audio = load(MelConfig, "audio")
    makers = Makers(audio, torch.device("cpu"))
    name, model = makers.sampler(options.model, None)
    samples = round(options.seconds * audio.sample_rate)
    label = next(iter(model.labels), None)
    vocoder = makers.synthesiser()

    silence = np.full((PIECE * 4, audio.n_mels), LOG_SILENCE, np.float32)
    quiet = vocoder.synthesise_pieces(lambda a, b: silence[: b - a], ENDLESS, PIECE)
    _, alone, _ = timed(quiet, samples)
    first, seconds, memory = timed(invented(model, vocoder, 0, label, None), samples)
    print(f"{name}: {options.seconds:g} s of music in {seconds:.1f} CPU-s with vocoder")
    print(
        f"x real time: {options.seconds / seconds:.1f}; vocoder alone {options.seconds / alone:.0f}"
    )
    print(f"first sound after {first:.2f} CPU-s, of {PIECE / audio.frame_rate:.2f} s")
    print(
        f"memory: {memory[len(memory) // 4]:.0f} MB after a quarter, {memory[-1]:.0f} MB at the end"
    )


if __name__ == "__main__":
    main()
