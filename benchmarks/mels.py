"""The sound at the end of the chain, in terms that do not depend on `audio.n_mels`.

    OMP_NUM_THREADS=1 python benchmarks/mels.py RUN_FOLDER...

Each RUN_FOLDER is a checkout with data/clean, data/features, and trained models vqvae, latent_prior
and vocoder. Their own scores compare log-mels of their own size; here all sound is compared as a
waveform, or as the log-mel of COMMON bands made from it. Test tracks (their first 20 s) pass the
vocoder alone, and the VQ-VAE and the vocoder; clips invented by the prior pass decoder and vocoder
and are judged as sets beside real sound. `copies`: random pieces of training tracks through VQ-VAE
and vocoder in the clips' place. CPU seconds: of making the clips, with the sound.
"""

import sys
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig, log_mel
from melodygan.dataset.clean_audio import CleanAudio
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.latent_prior.model import load as load_prior
from melodygan.models.vocoder.model import load as load_vocoder
from melodygan.models.vocoder.task import scores_of
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.pipeline.params import load, load_seed
from melodygan.scores.content import Content
from melodygan.scores.distances import kernel_distance
from melodygan.scores.jury.jury import Jury, JurySpace
from melodygan.scores.rows import Rows
from melodygan.scores.sets import RealSets
from melodygan.scores.style import StyleClassifier

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

COMMON = 128  # bands in which runs are compared
SECONDS, FRAMES, CLIPS = 20, 256, 92
SCORES = ("kernel_distance", "frechet_distance", "time_distance", "order_auc", "memorisation")
NOTES = 4096  # samples of the window in which a semitone is wider than a bin from 100 Hz on


class Run:
    """What lies in the current folder. edge: frames at a clip's ends that its padding reaches."""

    def __init__(self) -> None:
        self.audio, self.seed = load(MelConfig, "audio"), load_seed()
        self.common = replace(self.audio, n_mels=COMMON)
        self.edge = -(-self.audio.padding // self.audio.hop_length)
        self.features = FeatureSet(Path("data/features"), self.audio)
        self.vqvae = TrainedVQVAE.load(Path("models/vqvae"), self.audio)
        self.prior = load_prior(Path("models/latent_prior"), self.audio)
        self.vocoder: Vocoder = load_vocoder(Path("models/vocoder"), self.audio)

    def clean(self, split: str) -> CleanAudio:
        """Sound of the tracks of a split."""
        return CleanAudio(Path("data/clean"), split, self.features.stem)

    def heard(self, sounds: list[Float]) -> Float:
        """Common log-mel of clips (samples,): (clips, frames, COMMON)."""
        mels = [log_mel(sound, self.common)[self.edge : FRAMES - self.edge] for sound in sounds]
        return np.stack(mels)

    def tracks(self, split: str, label: str | None = None) -> list[Float]:
        """Common log-mels of real tracks."""
        labels = {track.track: track.label for track in self.features.tracks(split)}
        clean = self.clean(split)
        pairs = zip(clean.names, clean.heads(SECONDS * self.audio.sample_rate), strict=True)
        return [log_mel(s, self.common) for n, s in pairs if label in (None, labels[n])]


def notes(sound: Float, rate: int) -> Matrix:
    """Magnitude per pitch class, unit length in each frame, time mean removed; (frames, 12)."""
    window = torch.hann_window(NOTES)
    spectrum = torch.stft(
        torch.from_numpy(sound), NOTES, NOTES // 8, window=window, return_complex=True
    )
    hz = np.arange(NOTES // 2 + 1) * rate / NOTES
    semitone = np.round(12 * np.log2(np.maximum(hz, 1) / 440)) % 12
    member = (semitone == np.arange(12)[:, None]) & (hz >= 100) & (hz <= 5000)
    chroma = (member @ spectrum.abs().double().numpy()).T
    chroma /= np.maximum(np.linalg.norm(chroma, axis=1, keepdims=True), 1e-9)
    return np.asarray(chroma - chroma.mean(0))


def compare(true: Float, made: Float, run: Run) -> dict[str, float]:
    """How near a sound is to the true one; both (samples,)."""
    a, b = log_mel(true, run.common), log_mel(made, run.common)
    kept = Content.of(a, run.common).likeness(Content.of(b, run.common))
    p, q = (notes(sound, run.audio.sample_rate) for sound in (true, made))
    return scores_of(true, made, run.common) | {
        "chroma": kept["chroma"],
        "onset_correlation": kept["onset_correlation"],
        "notes": float((p * q).sum() / np.linalg.norm(p) / np.linalg.norm(q)),
        "change": float(np.abs(np.diff(b, axis=0)).mean() / np.abs(np.diff(a, axis=0)).mean()),
    }


def rebuilt(run: Run) -> None:
    """Print the scores of test tracks through the vocoder, with and without the VQ-VAE."""
    hop = run.audio.hop_length
    heads = run.clean("test").heads(SECONDS * run.audio.sample_rate)
    sounds = [sound[: len(sound) // hop * hop] for sound in heads]
    mels = [log_mel(sound, run.audio) for sound in sounds]
    for name, answers in {"vocoder": mels, "chain": map(run.vqvae.rebuild, mels)}.items():
        made = map(run.vocoder.synthesise, answers)
        rows = [compare(sound, of, run) for sound, of in zip(sounds, made, strict=True)]
        show(name, {key: float(np.mean([row[key] for row in rows])) for key in rows[0]})


def invented(run: Run) -> None:
    """Print the scores of the prior's clips as sound."""
    start, share = time.process_time(), CLIPS // len(run.prior.labels)
    sounds = {
        label: [
            run.vocoder.synthesise(mel)
            for mel in run.prior.sample(share, 1000 * (run.seed + 1) + index, label)
        ]
        for index, label in enumerate(run.prior.labels)
    }
    seconds = time.process_time() - start
    clips = {label: run.heard(of) for label, of in sounds.items()}
    frames = FRAMES - 2 * run.edge
    sets = RealSets(run.tracks("train"), run.tracks("test"), frames, 0, None, CLIPS)
    show("samples", sets.values(np.concatenate(list(clips.values())), SCORES))
    samples = FRAMES * run.audio.hop_length
    cut = run.clean("train").random(CLIPS, samples, np.random.default_rng(5))
    copies = run.vqvae.round_trip(np.stack([log_mel(sound, run.audio) for sound in cut]))
    show("copies", sets.values(run.heard([run.vocoder.synthesise(c) for c in copies]), SCORES))
    show("labels", {"accuracy": label_accuracy(run, clips), "CPU seconds": seconds})
    if jury := Jury.find():
        show("jury", jury_distance(run, jury, [s for of in sounds.values() for s in of]))


def label_accuracy(run: Run, clips: dict[str, Float]) -> float:
    """Share of clips that a classifier of real training sound takes for what they should be."""
    known = {}
    for label in clips:
        mels = run.tracks("train", label)
        length = FRAMES - 2 * run.edge
        known[label] = np.stack(
            [m[s : s + length] for m in mels for s in range(0, len(m) - length + 1, FRAMES // 4)]
        )
    return StyleClassifier(known).accuracy(clips)


def jury_distance(run: Run, jury: Jury, sounds: list[Float]) -> dict[str, float]:
    """Kernel distance, in the jury's ears, of clips and of training tracks to test tracks."""
    rate = run.audio.sample_rate
    train, test = (run.clean(split).heads(SECONDS * rate) for split in ("train", "test"))
    known = [jury.embed(sound, rate) for sound in train]
    space = JurySpace(known)

    def rows(sounds: list[Matrix]) -> Rows:
        track = np.repeat(np.arange(len(sounds)), [len(sound) for sound in sounds])
        return Rows(space.apply(np.concatenate(sounds)), track)

    halves = (0, rate * 3 // 2)  # samples; windows of 3 s that overlap by half
    real = rows([np.concatenate([jury.embed(s[at:], rate) for at in halves]) for s in test])
    made = {"samples": [jury.embed(s, rate).mean(0, keepdims=True) for s in sounds], "floor": known}
    return {
        name: float(
            kernel_distance(of, real, np.ones((1, of.tracks)), np.ones((1, real.tracks)))[0]
        )
        for name, of in ((name, rows(parts)) for name, parts in made.items())
    }


def show(name: str, values: dict[str, float]) -> None:
    """One line."""
    print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in values.items()))


def main() -> None:
    torch.set_num_threads(1)
    for folder in sys.argv[1:]:
        with chdir(folder):
            run = Run()
            print(f"{folder}: {run.audio.n_mels} mels, seed {run.seed}")
            rebuilt(run)
            invented(run)


if __name__ == "__main__":
    main()
