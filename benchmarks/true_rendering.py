"""How near conversions of the demo come to the truth: the same song played by the other band.

    python benchmarks/true_rendering.py RUN_FOLDER

RUN_FOLDER has data/features and models/cyclegan of a run on the demo. Demo songs that no model has
seen are composed; each is played twice by its own band's rival, on its chords, with its melody,
tempo and beats. The model converts the song's own rendering; the figure is the mean absolute
difference of log-mels (ln units) from the first of the rival's takes. `another take` is what the
second one has: the rival's bass line and patterns are drawn anew, so nobody can come much nearer.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from melodygan.audio.loudness import integrated_loudness
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.pipeline.params import load
from melodygan.scores.style import cut_clips
from melodygan.scores.training_free import Equaliser, Transport
from melodygan.sources.demo import pop, swing
from melodygan.sources.demo.instruments import RATE
from melodygan.sources.demo.mixing import Room, mix_band
from melodygan.sources.demo.score import Layer, Song

Float = NDArray[np.float32]

BANDS = {"pop": pop, "swing": swing}
SONGS = 6  # per label
SECONDS = 20.0
CENTRE = 64  # of the singer's range, which places the melody; nobody sings here
LUFS = -23.0  # as preprocess.loudness_lufs
CLIPS, CLIP, HOP = 512, 128, 64  # training clips that baselines are fitted to, as the scores do


def rendered(song: Song, layers: list[Layer], seed: list[int], audio: MelConfig) -> Float:
    """Log-mel (frames, n_mels) of the song played by a band, at the loudness of training data."""
    room = Room(np.random.default_rng(seed))
    stereo = mix_band(layers, song.grid, room, round(SECONDS * RATE))
    mono = soxr.resample(stereo.mean(0), RATE, audio.sample_rate).astype(np.float32)
    gain = 10 ** ((LUFS - integrated_loudness(mono, audio.sample_rate)) / 20)
    return log_mel(mono * np.float32(gain), audio)


def main() -> None:
    """Print a row for each direction and answer."""
    torch.set_num_threads(1)
    run = Path(sys.argv[1])
    audio = load(MelConfig, "audio", run / "params.yaml")
    model = TrainedCycleGAN.load(run / "models/cyclegan", audio)
    features = FeatureSet(run / "data/features", audio)
    frames = {}
    for label in BANDS:
        mels = [track.mel for track in features.tracks("train", label)]
        frames[label] = cut_clips(mels, CLIP, HOP, CLIPS).reshape(-1, audio.n_mels)
    away: dict[tuple[str, str], list[float]] = defaultdict(list)
    for place, (source, target) in enumerate((("pop", "swing"), ("swing", "pop"))):
        answers = {
            "the source itself": lambda mel: mel,
            "equaliser": Equaliser(frames[target]),
            "optimal transport of frames": Transport(frames[source], frames[target]),
            "CycleGAN": lambda mel, way=(source, target): model.convert(mel, *way),
        }
        for number in range(SONGS):
            seeds = [[2000 + number, place, take] for take in range(4)]
            rngs = [np.random.default_rng(seed) for seed in seeds]
            song = BANDS[source].compose(rngs[0], SECONDS, CENTRE)
            own = rendered(song, song.layers, seeds[0], audio)
            takes = [
                rendered(
                    song,
                    BANDS[target].arrange(rng, song.chords, song.melody, int(song.end)),
                    seed,
                    audio,
                )
                for rng, seed in zip(rngs[1:3], seeds[1:3], strict=True)
            ]
            made = {name: answer(own) for name, answer in answers.items()}
            for name, mel in {**made, "another take": takes[1]}.items():
                off = float(np.abs(mel - takes[0]).mean())
                away[f"{source} to {target}", name].append(off)
    print("| direction | answer | log-mel L1 to the truth | by song |\n|---|---|---|---|")
    for (direction, name), values in away.items():
        each = ", ".join(f"{value:.2f}" for value in values)
        print(f"| {direction} | {name} | {np.mean(values):.3f} | {each} |")


if __name__ == "__main__":
    main()
