"""What each set score says of real clips, of real clips spoilt in known ways, and of models.

    OMP_NUM_THREADS=1 python benchmarks/scores.py RUN_FOLDER

RUN_FOLDER is a checkout with data/features and models/vqvae (and models/latent_gan, if it is to be
judged too). The clips in the generator's place come from validation tracks, which neither models
nor scores have seen, except for the memorisers'. Bold: the interval does not overlap that of real
music (`floor`). The last column is a classifier two-sample test (Lopez-Paz and Oquab 2017,
https://arxiv.org/abs/1610.06545): AUC of telling the set from real clips, both behind the VQ-VAE.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.latent_gan.model import TrainedLatentGAN
from melodygan.models.vqvae.judged import real_sets
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.params import load
from melodygan.scores.convolutions import RandomConvolutions, Ridge
from melodygan.scores.damage import backwards, blurred, halves_swapped, shuffled
from melodygan.scores.embedding import describe
from melodygan.scores.intervals import differ
from melodygan.scores.rows import anywhere
from melodygan.scores.sets import RealSets, Scores

Float = NDArray[np.float32]


class Run:
    """A finished run's real tracks and models."""

    def __init__(self) -> None:
        audio = load(MelConfig, "audio")
        self.features = FeatureSet(Path("data/features"), audio)
        self.vqvae = TrainedVQVAE.load(Path("models/vqvae"), audio)
        self.real = real_sets(self.features, self.vqvae, "test", 0)

    def cut(self, split: str, seed: int) -> Float:
        """As many clips as the scores compare, from anywhere in a split, track after track."""
        mels = [track.mel for track in self.features.tracks(split)]
        rng = np.random.default_rng(seed)
        clips = anywhere(mels, self.vqvae.params.frames, self.real.count, rng)
        return clips.log_mel[np.argsort(clips.track, kind="stable")]

    def rebuilt(self, clips: Float) -> Float:
        """Clips through the VQ-VAE."""
        return self.vqvae.round_trip(clips)

    def sets(self) -> Iterator[tuple[str, Float]]:
        """What is judged, by name."""
        rng = np.random.default_rng(1)
        new, known = self.cut("validation", 2), self.cut("train", 3)
        yield "real (validation)", new
        yield "through the VQ-VAE", self.rebuilt(new)
        for columns in (8, 32):
            spoilt = shuffled(new, columns, rng)
            yield f"{columns}-frame columns shuffled", spoilt
            yield f"{columns}-frame columns shuffled, VQ-VAE", self.rebuilt(spoilt)
        yield "all frames shuffled", shuffled(new, 1, rng)
        yield "reversed", backwards(new)
        yield "halves swapped", halves_swapped(new, rng)
        yield "blurred by 2 frames, 2 bands", blurred(new, 2.0, 2.0)
        yield "blurred by 4 frames, 1 band", blurred(new, 4.0, 1.0)
        if Path("models/latent_gan").exists():
            model = TrainedLatentGAN.load(Path("models/latent_gan"), self.features.audio)
            yield "latent GAN", model.sample(self.real.count, 0)
        yield "noise", self.noise(known, rng)
        yield "memoriser", self.rebuilt(known)
        copies = round(0.3 * len(new))
        yield "30 % memoriser", self.rebuilt(np.concatenate([known[:copies], new[copies:]]))

    def noise(self, known: Float, rng: np.random.Generator) -> Float:
        """Gaussian, with each band's mean and spread in the training data."""
        noise = rng.standard_normal(known.shape) * known.std((0, 1)) + known.mean((0, 1))
        return noise.astype(np.float32)


def two_sample_test(run: Run) -> Callable[[Float], float]:
    """AUC of telling clips from real ones behind the VQ-VAE; 0.5: not at all.

    Fitted to training clips and the first half of a set, tried on test clips and the second half:
    for real sets, that is other tracks, or it would recognise the songs.
    """
    real, new = run.rebuilt(run.cut("train", 4)), run.rebuilt(run.real.held_out.log_mel)
    convolutions = RandomConvolutions(real.shape[1], np.random.default_rng(0))

    def hear(clips: Float) -> NDArray[np.float64]:
        return np.concatenate([convolutions.describe(clips), describe(clips)], axis=1)

    heard_real, heard_new = hear(real), hear(new)

    def auc(clips: Float) -> float:
        half = len(clips) // 2
        heard = hear(clips)
        judge = Ridge(heard_real, heard[:half])
        return float((judge.logits(heard_new)[:, None] > judge.logits(heard[half:])).mean())

    return auc


def cell(score: dict[str, object], value: str = "value", interval: str = "interval") -> str:
    """A value with its interval; bold where it is shown to differ from real music."""
    found = score[interval]
    text = f"{score[value]:.2f}"
    if found is None:
        return text
    text += f" [{found[0]:.2f}, {found[1]:.2f}]"
    return f"**{text}**" if differ(found, score["floor_interval"]) else text


def line(name: str, scores: Scores, test: str) -> str:
    """One row of the table."""
    cells = [cell(score) for score in scores.values()]
    return f"| {name} | {' | '.join(cells)} | {scores['memorisation']['copied']:.2f} | {test} |"


def main() -> None:
    """Print the table and what it cost."""
    torch.set_num_threads(1)
    os.chdir(sys.argv[1])
    run = Run()
    began = time.process_time()
    scores = run.real.scores(run.cut("validation", 2))
    first = time.process_time() - began
    test = two_sample_test(run)
    print(f"| set | {' | '.join(scores)} | copied | two-sample AUC |")
    print("|---|" + "---|" * (len(scores) + 2))
    floors = [cell(score, "floor", "floor_interval") for score in scores.values()]
    print(f"| anchor: real music | {' | '.join(floors)} | | |")
    for anchor in ("copies", "shuffled", "noise"):
        figures = " | ".join(f"{score[anchor]:.2f}" for score in scores.values())
        print(f"| anchor: {anchor} | {figures} | | |")
    spent = []
    for name, clips in run.sets():
        began = time.process_time()
        judged = run.real.scores(clips)
        spent.append(time.process_time() - began)
        print(line(name, judged, f"{test(clips):.2f}"), flush=True)
    real: RealSets = run.real
    print(
        f"\n{real.count} clips, {real.tracks} test tracks; {first:.1f} CPU-s to make the anchors "
        f"and score one set, {np.mean(spent):.1f} for each further one"
    )


if __name__ == "__main__":
    main()
