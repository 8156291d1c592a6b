"""Whether music without end stays what it was: its last minute held against its first.

    OMP_NUM_THREADS=1 python benchmarks/drift.py RUN_FOLDER [--seconds 600] [--pieces 4] [--label L]

RUN_FOLDER is a checkout with models/latent_prior and its VQ-VAE. Of each minute of each piece:
loudness (power of the log-mel, dB), spectral centroid (Hz) and entropy of the codes (bits). Printed
are the mean over pieces of the first and the last minute, and the change between the two beside
the standard deviation of changes between any two minutes, which is what chance makes of it.
"""

import argparse
import os
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, mel_filterbank
from melodygan.models.latent_prior.model import TrainedLatentPrior
from melodygan.pipeline.params import load

Float = NDArray[np.float32]
MEASURES = ("loudness, dB", "centroid, Hz", "code entropy, bits")


def measured(log_mel: Float, codes: NDArray[np.int64], audio: MelConfig) -> list[float]:
    """MEASURES of a log-mel (frames, n_mels) and the codes of it, in any shape."""
    filters = mel_filterbank(audio)
    bins = np.linspace(0, audio.sample_rate / 2, audio.n_bins)
    middle = (filters @ bins) / filters.sum(1)
    magnitude = np.exp(log_mel.astype(np.float64))
    loudness = 10 * np.log10((magnitude**2).sum(1).mean())
    centroid = (magnitude @ middle).sum() / magnitude.sum()
    share = np.bincount(codes.ravel()) / codes.size
    entropy = -(share[share > 0] * np.log2(share[share > 0])).sum()
    return [float(loudness), float(centroid), float(entropy)]


def by_minute(prior: TrainedLatentPrior, piece: Float) -> NDArray[np.float64]:
    """(minutes, measures) of a piece (frames, n_mels)."""
    audio, stride = prior.vqvae.audio, prior.vqvae.params.stride
    length = round(60 * audio.frame_rate) // stride * stride
    minutes = [piece[at : at + length] for at in range(0, len(piece) - length + 1, length)]
    return np.array(
        [measured(one, prior.vqvae.encode(one[None]).cpu().numpy(), audio) for one in minutes]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pieces", type=int, default=4)
    parser.add_argument("--label")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.chdir(options.folder)
    audio = load(MelConfig, "audio")
    prior = TrainedLatentPrior.load(Path("models/latent_prior"), audio, torch.device("cpu"))
    start = time.process_time()
    frames = round(options.seconds * audio.frame_rate)
    clips = prior.sample(options.pieces, 0, options.label, frames)
    values = np.array([by_minute(prior, clip) for clip in clips])  # (pieces, minutes, measures)
    print(f"{options.pieces} x {options.seconds:g} s in {time.process_time() - start:.0f} CPU-s")
    pairs = combinations(range(values.shape[1]), 2)
    chance = np.std([values[:, b] - values[:, a] for a, b in pairs], axis=(0, 1))
    for index, name in enumerate(MEASURES):
        first, last = values[:, 0, index].mean(), values[:, -1, index].mean()
        error = chance[index] / np.sqrt(len(values))
        change = f"{last - first:+.3g} (+- {error:.2g} by chance)"
        print(f"{name}: first minute {first:.4g}, last {last:.4g}, change {change}")


if __name__ == "__main__":
    main()
