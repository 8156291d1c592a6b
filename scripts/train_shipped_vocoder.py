"""Train the vocoder network that melodygan ships (`vocoder.init: shipped`), and write its folder.

    python scripts/train_shipped_vocoder.py src/melodygan/models/vocoder/shipped FOLDER... \\
        --held-out NAME --held-out NAME ...

It is MagNet with the sizes and the mel of params.yaml. It learns tracks of the demo band with
ordinals from 1000 on, so that every track of a demo pipeline is held out, and the recordings in the
folders, at any pitch and level. A subfolder with the files `vocals` and `accompaniment` is a song,
their sum, whose vocals are learnt alone too. Files with one of the names `--held-out` in their path
are never trained on: on them is measured how much nearer to the truth the sound is with the network
than the same synthesis without one. All sounds are read once, into the folder `--scratch`. One
thread; killed, it goes on from its checkpoint when started again.
"""

import argparse
import copy
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, convert_conv2d_weight_memory_format

from melodygan.audio.decode import decode, resample, to_mono
from melodygan.audio.loudness import integrated_loudness, magnitude, normalising_gain
from melodygan.audio.mel import MelConfig
from melodygan.audio.pcm import from_int16, to_int16
from melodygan.audio.stft import batch_log_mel, mel_of_magnitude, stft
from melodygan.models.vocoder.config import QUALITIES, VocoderParams
from melodygan.models.vocoder.magnet.loss import magnitude_losses, sound_loss, total
from melodygan.models.vocoder.magnet.network import (
    MagNet,
    MagNetVocoder,
    PlainSynthesis,
    network_inputs,
)
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.params import load
from melodygan.scores.audio import multi_resolution_stft
from melodygan.sources.demo import LABELS, render_track
from melodygan.training import optimisers

FIRST_ORDINAL = 1000
TRACKS_PER_LABEL = 40
TRACK_SECONDS = 12.0
DEMO_SHARE = 0.3  # of the crops; the folders share the others equally
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
LUFS = -23.0

STEPS = 24000
BATCH, FRAMES = 4, 64
LEARNING_RATE = 3e-3
RISE, FALL = 100, 0.25  # steps of the rate's rise; share of the steps in which it falls to zero
HEARD = 0.5  # of the steps; from then on the loss is of the sound
AVERAGE = 0.999  # decay of the mean of the weights, which is what is shipped
BENT = 0.5  # share of the crops at another pitch and tempo, by up to BEND octaves
BEND = 0.4
LEVELS = (-12.0, 6.0)  # dB
TOGETHER = 0.2  # share of the crops that are the sum of two
COLOURED = 0.5  # share of the crops with another balance of low and high
COLOURS, COLOUR = 6, 6.0  # points of the balance over all octaves; dB by which they lie off
LOWEST = 60.0  # Hz, the lowest of these points
SAVE_EVERY, MEASURE_EVERY = 100, 2000  # steps
MEASURED = slice(2, 8)  # s of a held-out recording

Sound = NDArray[np.int16]
Float = NDArray[np.float32]


class Recordings:
    """Sounds to train on, and held-out ones, by where they are from; all mono at -23 LUFS."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.train: dict[str, list[Sound]] = {}
        self.held: dict[str, list[Sound]] = {}

    def add_folder(self, folder: Path, held_out: list[str]) -> None:
        """Read all recordings below a folder."""
        train, held = [], []
        paths = (path for path in folder.rglob("*") if path.suffix in SUFFIXES)
        for path in sorted(path for path in paths if path.stem != "accompaniment"):
            sounds = [self._read(path)]
            if path.stem == "vocals":
                band = self._read(path.with_stem("accompaniment"))
                length = min(len(sounds[0]), len(band))
                sounds.insert(0, sounds[0][:length] + band[:length])
            levelled = [self._level(sound) for sound in sounds]
            if any(name in str(path) for name in held_out):
                held.append(levelled[0])
            else:
                train += levelled
        self.train[folder.name], self.held[folder.name] = train, held

    def add_demo(self) -> None:
        """Render tracks of the demo band; the held-out ones are of another seed."""

        def render(label: str, ordinal: int, seed: int) -> Sound:
            track = render_track(label, ordinal, TRACK_SECONDS, seed)
            return self._level(resample(to_mono(track.mix), track.sample_rate, self.rate))

        ordinals = range(FIRST_ORDINAL, FIRST_ORDINAL + TRACKS_PER_LABEL)
        self.train["demo"] = [render(label, i, 0) for label in LABELS for i in ordinals]
        self.held["demo"] = [render(label, i, 1) for label in LABELS for i in (0, 1)]

    def save(self, file: Path) -> None:
        """Write all of them to one file, since reading and rendering take a minute."""
        both = {"train": self.train, "held": self.held}
        sounds = {
            f"{split}/{name}/{i}": sound
            for split, of in both.items()
            for name, many in of.items()
            for i, sound in enumerate(many)
        }
        np.savez(file, **sounds)  # type: ignore[arg-type]

    def load(self, file: Path) -> None:
        """Read what `save` wrote."""
        with np.load(file) as sounds:
            for key in sounds:
                split, name, _ = key.split("/")
                of = self.train if split == "train" else self.held
                of.setdefault(name, []).append(sounds[key])

    def crop(self, samples: int, random: np.random.Generator) -> Float:
        """So many samples to train on: of one sound, or of two together, as songs have many."""
        crop = self._crop(samples, random)
        if random.random() < TOGETHER:
            crop += self._crop(samples, random)
        return coloured(crop, self.rate, random) if random.random() < COLOURED else crop

    def _crop(self, samples: int, random: np.random.Generator) -> Float:
        """So many samples of a training sound, in another pitch and tempo and at another level."""
        folders = [name for name in self.train if name != "demo"]
        share = 1 - DEMO_SHARE if folders else 0
        demo = random.random() >= share
        sounds = self.train["demo" if demo else str(random.choice(folders))]
        lengths = np.array([len(sound) for sound in sounds])
        sound = sounds[random.choice(len(sounds), p=lengths / lengths.sum())]
        bend = 2 ** random.uniform(-BEND, BEND) if random.random() < BENT else 1.0
        length = int(np.ceil(samples * bend)) + 64  # a few more, which the resampler takes
        first = random.integers(max(1, len(sound) - length))
        piece = from_int16(sound[first : first + length])
        if bend != 1:
            piece = soxr.resample(piece, self.rate * bend, self.rate, "QQ")
        piece = np.pad(piece[:samples], (0, max(0, samples - len(piece))))
        return piece * np.float32(10 ** (random.uniform(*LEVELS) / 20))

    def _read(self, path: Path) -> Float:
        sound, native = decode(path)
        return resample(to_mono(sound), native, self.rate)

    def _level(self, sound: Float) -> Sound:
        loudness = integrated_loudness(sound, self.rate)
        gain = normalising_gain(loudness, magnitude(sound), LUFS, -1.0)
        return to_int16(sound * np.float32(gain))


def coloured(sound: Float, rate: int, random: np.random.Generator) -> Float:
    """The sound with its spectrum bent smoothly, as by another room or another desk."""
    frequencies = np.fft.rfftfreq(len(sound), 1 / rate)
    points = np.geomspace(LOWEST, rate / 2, COLOURS)
    gains = random.uniform(-COLOUR, COLOUR, COLOURS)
    gain = 10 ** (np.interp(frequencies, points, gains) / 20)
    bent: Float = np.fft.irfft(np.fft.rfft(sound) * gain, len(sound)).astype(np.float32)
    return bent


def update(
    net: MagNet, optimiser: torch.optim.Optimizer, crops: Tensor, audio: MelConfig, heard: bool
) -> float:
    """One step on crops (batch, samples); returns the loss.

    heard: whether what counts most is the sound, of which the score is made, not the magnitude.
    """
    magnitudes = stft(crops, audio).abs()
    answer = net(*network_inputs(mel_of_magnitude(magnitudes, audio), audio))
    parts = magnitude_losses(answer, magnitudes)
    loss = total(parts, sound_loss(answer, crops, audio) if heard else None)
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss.item()}")
    optimiser.zero_grad()
    loss.backward()
    clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    return loss.item()


@torch.no_grad()
def measure(network: nn.Module, recordings: Recordings, audio: MelConfig) -> dict[str, float]:
    """M-STFT of the sound that `network` makes of held-out recordings' mels, by their folder."""
    scores = {}
    for name, sounds in recordings.held.items():
        distances = []
        for sound in sounds:
            piece = sound[MEASURED.start * audio.sample_rate : MEASURED.stop * audio.sample_rate]
            whole = piece[: len(piece) // audio.hop_length * audio.hop_length]
            true = torch.from_numpy(from_int16(whole))[None]
            made = network(batch_log_mel(true, audio))
            distances.append(float(multi_resolution_stft(true, made)))
        if distances:
            scores[name] = float(np.mean(distances))
    return scores


def train(recordings: Recordings, net: MagNet, audio: MelConfig, steps: int, file: Path) -> MagNet:
    """Train from the checkpoint `file`, if there is one; returns the mean of the weights."""
    convert_conv2d_weight_memory_format(net, torch.channels_last)
    optimiser = optimisers.AdamW(net.parameters(), LEARNING_RATE, betas=(0.9, 0.99), fused=True)
    average, first, seconds = copy.deepcopy(net), 0, 0.0
    iterations = QUALITIES["good"]
    if file.exists():
        state: dict[str, Any] = torch.load(file, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first, seconds, plain = state["step"], state["seconds"], state["plain"]
    else:
        plain = measure(PlainSynthesis(audio, iterations), recordings, audio)
    began, losses = time.process_time(), []
    for step in range(first, steps):
        fall = min(1.0, (steps - step) / (FALL * steps))
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, (step + 1) / RISE) * fall
        random = np.random.default_rng([0, step])
        crops = [recordings.crop(FRAMES * audio.hop_length, random) for _ in range(BATCH)]
        heard = step >= HEARD * steps
        losses.append(update(net, optimiser, torch.from_numpy(np.stack(crops)), audio, heard))
        decay = min(AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
        if (step + 1) % SAVE_EVERY and step + 1 < steps:
            continue
        spent = seconds + time.process_time() - began
        state = {"net": net.state_dict(), "average": average.state_dict(), "plain": plain}
        state |= {"optimiser": optimiser.state_dict(), "step": step + 1, "seconds": spent}
        torch.save(state, file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)
        print(
            f"step {step + 1}: loss {np.mean(losses):.4f}, {spent / 60:.1f} CPU-minutes", flush=True
        )
        losses = []
        if (step + 1) % MEASURE_EVERY == 0 or step + 1 == steps:
            made = measure(MagNetVocoder(average, audio, iterations, True), recordings, audio)
            said = [f"{name} {made[name]:.4f} ({made[name] - plain[name]:+.4f})" for name in made]
            print(f"held-out M-STFT (beside no network): {', '.join(said)}", flush=True)
    return average


def main() -> None:
    """Parse the command line, read, train, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("folders", type=Path, nargs="*", help="recordings to train on")
    parser.add_argument("--held-out", action="append", default=[], metavar="NAME")
    parser.add_argument("--scratch", type=Path, default=Path(".cache/shipped-vocoder"))
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    audio, params = load(MelConfig, "audio"), load(VocoderParams, "vocoder")
    network = MagNetVocoder.of(params.magnet, audio, true_mel=True)
    recordings = Recordings(audio.sample_rate)
    options.scratch.mkdir(parents=True, exist_ok=True)
    if (cache := options.scratch / "sounds.npz").exists():
        recordings.load(cache)
    else:
        recordings.add_demo()
        for folder in options.folders:
            recordings.add_folder(folder.resolve(), options.held_out)
        recordings.save(cache)
    file = options.scratch / "checkpoint.pt"
    network.magnet = train(recordings, network.magnet, audio, options.steps, file)
    params = replace(params, kind="magnet", init="scratch", hears="truth")
    made = options.scratch / "vocoder"
    Vocoder(params, audio, network).save(made)
    options.out.mkdir(parents=True, exist_ok=True)
    for written in made.iterdir():  # what else is there, its provenance, stays
        shutil.copy(written, options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
