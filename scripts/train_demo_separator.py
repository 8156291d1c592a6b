"""Train the separation model that melodygan ships, and write its folder for audio-separator.

    python scripts/train_demo_separator.py src/melodygan/separation/demo_model

The model is a small U-Net that masks the spectrogram (Jansson et al. 2017, "Singing voice
separation with deep U-Net convolutional networks", ISMIR) behind the interface of UVR's MDX
models: real and imaginary parts in and out. It learns only demo tracks with ordinals from 1000 on,
so that every track of a demo pipeline (ordinals count from 0) is held out. First it trains on
remixes in any colour and pitch, then it is refined on the songs as they are. About 25 minutes on
one thread; killed, it goes on from its checkpoint when started again.
"""

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import soxr
import torch
from demo_separator_net import BINS, HOP, N_FFT, MaskNet, save_model_folder
from numpy.typing import NDArray
from torch import Tensor

from melodygan.separation.si_sdr import si_sdr
from melodygan.sources.demo import LABELS, render_track

RATE = 44100
CROP_FRAMES = 64
CROP = (CROP_FRAMES - 1) * HOP
FIRST_ORDINAL = 1000
TRACKS_PER_LABEL = 60
TRACK_SECONDS = 12.0
STEPS = 3000
BATCH = 3
LEARNING_RATE = 3e-3
REFINE_STEPS = 800
REFINE_RATE = 1.5e-3
EVERY = 250  # steps between checkpoints and measurements

Stems = list[tuple[NDArray[np.int16], NDArray[np.int16]]]


def load_tracks(cache: Path) -> Stems:
    """Render the training tracks' (vocals, accompaniment), each (samples, 2), once into `cache`."""
    if not cache.exists():
        stems = []
        for label in LABELS:
            for ordinal in range(FIRST_ORDINAL, FIRST_ORDINAL + TRACKS_PER_LABEL):
                track = render_track(label, ordinal, TRACK_SECONDS, 0)
                stems.append([_to_int16(track.vocals), _to_int16(track.accompaniment)])
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, np.array(stems))
    return [(pair[0], pair[1]) for pair in np.load(cache, mmap_mode="r")]


def _to_int16(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)


def crop(audio: NDArray[np.int16], start: float, random: np.random.Generator) -> NDArray:
    """CROP samples from position `start` (0 to 1), at another pitch and tempo now and then."""
    stretch = 2 ** random.uniform(-0.33, 0.33) if random.random() < 0.3 else 1.0
    length = int(np.ceil(CROP * stretch)) + 64
    first = int(start * (len(audio) - length))
    piece = audio[first : first + length].astype(np.float32) / 32768
    if stretch != 1.0:
        piece = soxr.resample(piece, RATE * stretch, RATE, "QQ")
    return piece[:CROP]


def jitter(audio: NDArray, random: np.random.Generator) -> NDArray:
    """Random sides, width (now and then mono) and level; (samples, 2) in and out."""
    if random.random() < 0.5:
        audio = audio[:, ::-1]
    middle = audio.mean(axis=1, keepdims=True)
    width = random.choice([0.0, 1.0, random.uniform(0, 1.5)], p=[0.15, 0.6, 0.25])
    return middle + width * (audio - middle)


def equaliser(random: np.random.Generator) -> NDArray:
    """A smooth gain for each bin, shape (BINS, 1): up to 8 dB at seven points of log frequency."""
    points = random.uniform(-8, 8, 7) * (random.random() < 0.5)
    octaves = np.log2(np.arange(1, BINS + 1))
    gain = 10 ** (np.interp(octaves, np.linspace(0, octaves[-1], 7), points) / 20)
    return gain.astype(np.float32)[:, None]


def example(tracks: Stems, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Complex spectra (2, BINS, CROP_FRAMES) of a remixed (vocals, accompaniment)."""
    singer, player = random.integers(len(tracks), size=2)
    if random.random() < 0.6:
        player = singer  # what belongs together also shares key and beat: the harder case
    start = random.random()
    vocals = crop(tracks[singer][0], start, random)
    band = crop(tracks[player][1], start, random)
    if random.random() < 0.1:
        other = random.integers(len(tracks))
        band = band + crop(tracks[other][1], random.random(), random)
    if random.random() < 0.1:
        other = random.integers(len(tracks))
        vocals = vocals + crop(tracks[other][0], random.random(), random) * random.uniform(0.3, 1)
    vocals, band = jitter(vocals, random), jitter(band, random)
    vocals = vocals * 10 ** (random.uniform(-9, 6) / 20)
    silence = random.random()
    if silence < 0.05:
        vocals = vocals * 0
    elif silence < 0.1:
        band = band * 0
    return (
        spectrum(vocals) * torch.from_numpy(equaliser(random)),
        spectrum(band) * torch.from_numpy(equaliser(random)),
    )


def plain_example(tracks: Stems, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Like `example`, but a song as it is, or now and then with another song's band."""
    vocals, band = tracks[random.integers(len(tracks))]
    first = int(random.random() * (len(vocals) - CROP))
    voice = vocals[first : first + CROP].astype(np.float32) / 32768
    backing = band[first : first + CROP].astype(np.float32) / 32768
    if random.random() < 0.5:
        voice, backing = voice[:, ::-1], backing[:, ::-1]
    voice = voice * 10 ** (random.uniform(-3, 3) / 20)
    if random.random() < 0.3:
        other = tracks[random.integers(len(tracks))][1]
        first = int(random.random() * (len(other) - CROP))
        backing = other[first : first + CROP].astype(np.float32) / 32768
    return spectrum(voice), spectrum(backing)


def spectrum(audio: NDArray) -> Tensor:
    """Complex (2, BINS, frames) as audio-separator makes it: centred, three lowest bins empty."""
    wave = torch.from_numpy(np.ascontiguousarray(audio.T, dtype=np.float32))
    window = torch.hann_window(N_FFT)
    spec = torch.stft(wave, N_FFT, HOP, window=window, return_complex=True)[:, :BINS]
    spec[:, :3] = 0
    return spec


def loss_of(net: MaskNet, vocals: Tensor, band: Tensor) -> Tensor:
    """Error of the masked mix relative to the mix: log energy, which is what SI-SDR rewards.

    The mean magnitude beside it keeps the quiet bins in view. Alone, it left out most of what
    singing and band share below 1 kHz, where the energy is.
    """
    mix = vocals + band
    error = torch.view_as_real(net.mask(mix.abs(), _middle_and_side(mix)) * mix - vocals)
    # a crop may be silent, hence the small constants
    level = mix.abs().mean((1, 2, 3)) + 1e-3
    magnitude = error.square().sum(-1).add(1e-12).sqrt().mean((1, 2, 3)) / level
    energy = error.square().sum((1, 2, 3, 4)) / (mix.abs().square().sum((1, 2, 3)) + 1)
    return (0.3 * torch.log(energy + 1e-3) + magnitude).mean()


def _middle_and_side(mix: Tensor) -> Tensor:
    left, right = mix[:, 0], mix[:, 1]
    return torch.stack([(left + right).abs(), (left - right).abs()], 1) / 2


def held_out_improvement(net: MaskNet) -> float:
    """Mean SI-SDR improvement (dB, both stems) on six tracks that are never trained on."""
    net.eval()
    gains = []
    for label in LABELS:
        for ordinal in range(3):
            track = render_track(label, ordinal, 10.0, 0)
            spec = spectrum(track.mix)[None]
            spec = spec[..., : spec.shape[-1] // 8 * 8]
            with torch.no_grad():
                masked = net.mask(spec.abs(), _middle_and_side(spec)) * spec
            full = torch.nn.functional.pad(masked[0], (0, 0, 0, N_FFT // 2 + 1 - BINS))
            wave = torch.istft(full, N_FFT, HOP, window=torch.hann_window(N_FFT)).T.numpy()
            size = len(wave)
            mix, vocals = track.mix[:size], track.vocals[:size]
            gains.append(si_sdr(wave, vocals) - si_sdr(mix, vocals))
            gains.append(si_sdr(mix - wave, mix - vocals) - si_sdr(mix, mix - vocals))
    net.train()
    return float(np.mean(gains))


def train(scratch: Path, steps: int) -> MaskNet:
    """Train with a one-cycle learning rate, keeping a checkpoint in `scratch`."""
    tracks = load_tracks(scratch / "tracks.npy")
    torch.manual_seed(0)
    net = MaskNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1
    )
    checkpoint, first = scratch / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        first = state["step"]
    began, total = time.process_time(), 0.0
    for step in range(first, steps):
        random = np.random.default_rng([0, step])
        pairs = [example(tracks, random) for _ in range(BATCH)]
        loss = loss_of(net, *(torch.stack(stem) for stem in zip(*pairs, strict=True)))
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss of step {step + 1} is {loss.item()}")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if (step + 1) % EVERY == 0 or step + 1 == steps:
            improvement = held_out_improvement(net)
            minutes = (time.process_time() - began) / 60
            print(
                f"step {step + 1}: loss {total / EVERY:.4f}, held-out SI-SDR improvement "
                f"{improvement:.2f} dB, {minutes:.1f} CPU-minutes",
                flush=True,
            )
            total = 0.0
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
            state |= {"schedule": schedule.state_dict(), "step": step + 1}
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").replace(checkpoint)
    return net.eval()


def refine(net: MaskNet, tracks: Stems) -> MaskNet:
    """Train on plain examples with a falling rate; returns the moving average of the weights."""
    average = copy.deepcopy(net)
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=REFINE_RATE, weight_decay=1e-3)
    for step in range(REFINE_STEPS):
        fall = min(1, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / REFINE_STEPS))
        optimizer.param_groups[0]["lr"] = REFINE_RATE * fall
        random = np.random.default_rng([7, step])
        pairs = [plain_example(tracks, random) for _ in range(BATCH)]
        loss = loss_of(net, *(torch.stack(stem) for stem in zip(*pairs, strict=True)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for mean, value in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(value, 0.02)
            for kept, buffer in zip(average.buffers(), net.buffers(), strict=True):
                kept.copy_(buffer)
    print(f"refined: held-out SI-SDR improvement {held_out_improvement(average):.2f} dB")
    return average.eval()


def main() -> None:
    """Parse the command line, train, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the model folder to write")
    parser.add_argument("--scratch", type=Path, default=Path(".cache/demo-separator"))
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    net = refine(
        train(arguments.scratch, arguments.steps), load_tracks(arguments.scratch / "tracks.npy")
    )
    difference = save_model_folder(net, arguments.folder)
    print(f"wrote {arguments.folder}; onnxruntime differs from torch by {difference:.1e} at most")


if __name__ == "__main__":
    main()
