"""The most memory that one long track takes in each stage that handles tracks.

    python benchmarks/memory.py [HOURS] [MODEL]

A made-up stereo FLAC of HOURS (10), separated without a model, cleaned, turned into features, and
separated with MODEL (demo; takes 3 CPU-minutes per hour of audio), each in a process of its own.
Needs 2 GB of disk in the temporary folder for every hour, 4 with a model.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from workspace import write_music

from melodygan.audio.decode import Extent
from melodygan.audio.mel import MelConfig
from melodygan.dataset.clean import clean_track
from melodygan.dataset.features import FeaturesParams, track_features
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.pipeline.params import load
from melodygan.separation.track import separate_file


def separate(file: Path, folder: Path, model: str | None = None) -> None:
    """The work of the separate stage."""
    separate_file(folder, str(file), None, None, model)


def preprocess(file: Path, folder: Path) -> None:
    """The work of the preprocess stage; leaves mix.npy."""
    settings = load(PreprocessParams, "preprocess").settings(load(MelConfig, "audio").sample_rate)
    clean_track(folder, {"mix": Extent(file)}, {"mix": "mix"}, 0.0, settings)


def features(file: Path, folder: Path) -> None:
    """The work of the features stage, on what `preprocess` left."""
    clean = folder / "mix.npy"
    samples = len(np.load(clean, mmap_mode="r"))
    config, params = load(MelConfig, "audio"), load(FeaturesParams, "features")
    track_features(folder, clean, 0, samples, config, params)


def measured(step: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    """Peak memory (MB) and CPU seconds of this process, imports included, after the step."""
    step(*arguments)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time()


def main() -> None:
    """Print a Markdown table."""
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    model = sys.argv[2] if len(sys.argv) > 2 else "demo"
    print(f"| {hours:g} h of stereo FLAC | peak MB | CPU s |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name), Path(name) / "made-up.flac"
        write_music(file, 3600 * hours)
        steps: dict[str, tuple[Any, ...]] = {
            "separate, no model": (separate, file, folder),
            "preprocess": (preprocess, file, folder),
            "features": (features, file, folder),
            f"separate, {model}": (separate, file, folder, model),
        }
        for what, call in steps.items():
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, spawn) as pool:
                peak, seconds = pool.submit(measured, *call).result()
            print(f"| {what} | {peak:,.0f} | {seconds:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
