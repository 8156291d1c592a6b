"""What each set score says of real clips, of real clips spoilt in known ways, and of models.

    OMP_NUM_THREADS=1 python benchmarks/scores.py RUN_FOLDER

RUN_FOLDER is a checkout with data/features and models/vqvae (and models/latent_gan, if it is to be
judged too). The clips in the generator's place come from validation tracks, which neither models
nor scores have seen, except for the memorisers'. Bold: shown to differ from the real clips of the
first row, with the same weights of tracks for both: most sets are those clips, spoilt. The last
column is a classifier two-sample test (Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545):
AUC of telling the set from real clips, both behind the VQ-VAE.
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
from melodygan.scores.distances import copied
from melodygan.scores.embedding import describe
from melodygan.scores.intervals import beside, interval_of
from melodygan.scores.rows import Clips, anywhere, independent
from melodygan.scores.sets import RealSets
from melodygan.training.verdict import differ

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

SCORES = ("kernel_distance", "frechet_distance", "time_distance", "order_auc", "memorisation")


class Run:
    """A finished run's real tracks and models."""

    def __init__(self) -> None:
        audio = load(MelConfig, "audio")
        self.features = FeatureSet(Path("data/features"), audio)
        self.vqvae = TrainedVQVAE.load(Path("models/vqvae"), audio)
        self.real = real_sets(self.features, self.vqvae, "test", 0)

    def cut(self, split: str, seed: int) -> Clips:
        """As many clips as the scores compare, from anywhere in a split, track after track."""
        mels = [track.mel for track in self.features.tracks(split)]
        rng = np.random.default_rng(seed)
        clips = anywhere(mels, self.vqvae.params.frames, self.real.count, rng)
        return clips.take(np.argsort(clips.track, kind="stable"))

    def rebuilt(self, clips: Float) -> Float:
        """Clips through the VQ-VAE."""
        return self.vqvae.round_trip(clips)

    def sets(self) -> Iterator[tuple[str, Clips]]:
        """What is judged, by name."""
        rng = np.random.default_rng(1)
        real, known = self.cut("validation", 2), self.cut("train", 3)
        new = real.log_mel

        def spoilt(log_mel: Float) -> Clips:
            return Clips(log_mel, real.track)

        yield "real (validation)", real
        yield "through the VQ-VAE", real.through(self.rebuilt)
        for columns in (8, 32):
            of = spoilt(shuffled(new, columns, rng))
            yield f"{columns}-frame columns shuffled", of
            yield f"{columns}-frame columns shuffled, VQ-VAE", of.through(self.rebuilt)
        yield "all frames shuffled", spoilt(shuffled(new, 1, rng))
        yield "reversed", spoilt(backwards(new))
        yield "halves swapped", spoilt(halves_swapped(new, rng))
        yield "blurred by 2 frames, 2 bands", spoilt(blurred(new, 2.0, 2.0))
        yield "blurred by 4 frames, 1 band", spoilt(blurred(new, 4.0, 1.0))
        if Path("models/latent_gan").exists():
            model = TrainedLatentGAN.load(Path("models/latent_gan"), self.features.audio)
            yield "latent GAN", independent(model.sample(self.real.count, 0))
        yield "noise", independent(self.noise(known.log_mel, rng))
        yield "memoriser", known.through(self.rebuilt)
        copies = round(0.3 * len(new))
        mixed = np.concatenate([known.log_mel[:copies], new[copies:]])
        yield "30 % memoriser", independent(self.rebuilt(mixed))

    def noise(self, known: Float, rng: np.random.Generator) -> Float:
        """Gaussian, with each band's mean and spread in the training data."""
        noise = rng.standard_normal(known.shape) * known.std((0, 1)) + known.mean((0, 1))
        return noise.astype(np.float32)


def two_sample_test(run: Run) -> Callable[[Float], float]:
    """AUC of telling clips from real ones behind the VQ-VAE; 0.5: not at all.

    Fitted to training clips and the first half of a set, tried on test clips and the second half:
    for real sets, that is other tracks, or it would recognise the songs.
    """
    real, new = run.rebuilt(run.cut("train", 4).log_mel), run.rebuilt(run.real.held_out.log_mel)
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


class Table:
    """Rows of sets; the first one is what the others are compared with."""

    def __init__(self, real: RealSets) -> None:
        self.real = real
        self.first: dict[str, Matrix] = {}

    def row(self, name: str, clips: Clips, test: str) -> str:
        """One row: each score with its interval, bold where it differs from the first row's."""
        cells = []
        for score in SCORES:
            measure = self.real.measure(score)
            drawn = measure.draws(clips.rows(measure.hear), self.real.seed)
            low, high = interval_of(drawn)
            text = f"{drawn[0]:.2f} [{low:.2f}, {high:.2f}]"
            first = self.first.setdefault(score, drawn)
            if drawn is not first and differ(beside(drawn, first), (first[0], first[0])):
                text = f"**{text}**"
            cells.append(text)
        memory = self.real.measure("memorisation")
        rows, reference = clips.rows(memory.hear), memory.reference
        ones = np.ones((1, rows.tracks)), np.ones((1, reference.tracks))
        share = copied(rows, reference, *ones)[0]
        return f"| {name} | {' | '.join(cells)} | {share:.2f} | {test} |"


def main() -> None:
    """Print the table and what it cost."""
    torch.set_num_threads(1)
    os.chdir(sys.argv[1])
    run = Run()
    began = time.process_time()
    scores = run.real.scores(run.cut("validation", 2).log_mel)
    first = time.process_time() - began
    test, table = two_sample_test(run), Table(run.real)
    print(f"| set | {' | '.join(SCORES)} | copied | two-sample AUC |")
    print("|---|" + "---|" * (len(SCORES) + 2))
    for anchor in ("floor", "copies", "shuffled", "noise"):
        figures = " | ".join(f"{scores[name][anchor]:.2f}" for name in SCORES)
        print(f"| anchor: {anchor} | {figures} | | |")
    spent = []
    for name, clips in run.sets():
        began = time.process_time()
        said = table.row(name, clips, f"{test(clips.log_mel):.2f}")
        spent.append(time.process_time() - began)
        print(said, flush=True)
    print(
        f"\n{run.real.count} clips, {run.real.tracks} test tracks; {first:.1f} CPU-s to make the "
        f"anchors and score one set, {np.mean(spent):.1f} for each further one"
    )


if __name__ == "__main__":
    main()
