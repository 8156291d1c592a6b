"""Whether music without end stays what it was: its last minute held against its first.

    OMP_NUM_THREADS=1 python benchmarks/drift.py RUN_FOLDER [--minutes 10] [--pieces 2] [--label L]

RUN_FOLDER is a checkout with data/features, models/latent_prior and its VQ-VAE. Of each minute of
each piece: loudness, spectral centroid and entropy of the codes, the first two from the log-mel,
so that no vocoder is waited for. Beside the change from the first minute to the last stands what
any two minutes of a piece differ by, and any two of the label's training tracks.
"""

import argparse
import os
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from melodygan.audio.mel import MelConfig
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.latent_prior.model import load as load_prior
from melodygan.pipeline.params import load

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
import steadiness  # as the tests measure it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--pieces", type=int, default=2)
    parser.add_argument("--label")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.chdir(options.folder)
    audio = load(MelConfig, "audio")
    model = load_prior(Path("models/latent_prior"), audio, torch.device("cpu"))
    label = options.label or model.labels[0]
    columns = round(60 * audio.frame_rate / model.vqvae.params.stride)
    tracks = [
        track.mel for track in FeatureSet(Path("data/features"), audio).tracks("train", label)
    ]
    chance = steadiness.by_chance(tracks, model.vqvae, columns, 0)

    start = time.process_time()
    written = model.columns(options.pieces, 0, label)
    values = []  # of each minute: (pieces, measures)
    for part in steadiness.parts(written, model.vqvae, columns, options.minutes):
        values.append(part)
        said = [
            f"{name} {of.round(2)}" for name, of in zip(steadiness.MEASURES, part.T, strict=True)
        ]
        spent = time.process_time() - start
        print(f"{label}, minute {len(values)}, {spent:.0f} CPU-s: {'; '.join(said)}", flush=True)

    pairs = [b - a for a, b in combinations(values, 2)]
    any_two = np.sqrt(np.square(pairs).mean((0, 1)))
    errors = steadiness.change(values[0], values[-1], chance)
    for index, name in enumerate(steadiness.MEASURES):
        print(
            f"{name}: last minute less first {(values[-1] - values[0])[:, index].round(3)}, "
            f"{errors[index]:.2g} standard errors; any two minutes of a piece "
            f"{any_two[index]:.3g} (root mean square), of the training tracks {chance[index]:.3g}"
        )


if __name__ == "__main__":
    main()
