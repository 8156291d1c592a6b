"""Speed of the features pass: seconds of audio per CPU-second of one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/features_speed.py [SECONDS]

Ten minutes of noise (the work does not depend on what is heard), with the settings of
params.yaml; the best of five runs, because other work on the machine only ever slows one down.
The Fourier transforms alone are the floor: all else could at best cost nothing. "stage" is one
track as the stage does it: samples from a file, statistics, and results to files.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from melodygan.audio.features import mfcc, pooled
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.audio.pcm import to_int16
from melodygan.dataset.features import FeaturesParams, track_features
from melodygan.pipeline.params import load


def cpu_seconds(work: Callable[[], object]) -> float:
    """Least CPU time of five runs of `work`."""
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def transform(audio: NDArray[np.float32], frames: int, n_fft: int) -> None:
    """As many Fourier transforms as a log-mel needs, in its blocks of 128 frames."""
    block = audio[: 128 * n_fft].reshape(128, n_fft)
    for _ in range(frames // 128):
        scipy.fft.rfft(block, axis=1)


def main() -> None:
    """Print one line for each part, and one for all."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    config, params = load(MelConfig, "audio"), load(FeaturesParams, "features")
    samples = round(seconds * config.sample_rate)
    audio = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    mel = log_mel(audio, config)
    cepstra = mfcc(mel, params.n_mfcc)
    parts = {
        "transforms": cpu_seconds(lambda: transform(audio, len(mel), config.n_fft)),
        "log-mel": cpu_seconds(lambda: log_mel(audio, config)),
        "MFCC": cpu_seconds(lambda: mfcc(mel, params.n_mfcc)),
        "pooled": cpu_seconds(lambda: pooled(mel, cepstra, params.pool_frames, params.pool_hop)),
    }
    parts["log-mel + MFCC"] = parts["log-mel"] + parts["MFCC"]
    parts["all"] = parts["log-mel + MFCC"] + parts["pooled"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "audio.npy", to_int16(audio))
        parts["stage"] = cpu_seconds(
            lambda: track_features(folder, folder / "audio.npy", 0, samples, config, params)
        )
    for name, spent in parts.items():
        print(f"{name:15s} {spent * 1000:8.1f} ms {seconds / spent:10,.0f} x real time")


if __name__ == "__main__":
    main()
