"""Speed of the training steps: how fast, how near to the processor's best, and what data costs.

    python benchmarks/training_speed.py [--models vqvae,vocoder:hifigan] [--threads 2] [--compile]

Every model at the sizes of params.yaml (demo) and of presets/full.yaml (paper), in fp32 and bf16,
on made-up tracks in the format of data/clean and data/features; of vocoders the kind after the
colon, or else that of params.yaml. The steps are the training loop's own. Times are CPU time with
one thread on a CPU, which other work on the machine disturbs least, else wall time; best of several
rounds.

FLOPs are those of convolutions and matrix products, forward and backward; `of peak` compares with
the fastest square matrix product in the same precision. `data` is the share of a step that the
batch takes when it is made in between (loaders 0), `visible` what a step still waits for when one
thread makes it ahead (loaders 1, wall time).
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, chdir, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from melodygan.audio.mel import MelConfig
from melodygan.audio.pcm import to_int16
from melodygan.commands.preset import apply_preset
from melodygan.pipeline.params import load
from melodygan.pipeline.runtime import Runtime
from melodygan.training.batches import batches
from melodygan.training.checkpoint import Checkpoints
from melodygan.training.data import Data
from melodygan.training.device import place, start_device
from melodygan.training.loop import _Run
from melodygan.training.outlet import Outlet
from melodygan.training.processes import Processes
from melodygan.training.settings import TrainSettings
from melodygan.training.state import RunState
from melodygan.training.task import Batch, Task

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
import fake  # noqa: E402 - made-up folders, as the tests use them
from tasks import TASKS  # noqa: E402

LABELS = ("pop", "swing")
SPLITS = ("train", "train", "train", "validation", "test")
TRACK_SECONDS = 20
ROUNDS = 5
MATRICES = {"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)}
# the stage whose model another one's task reads
BELOW = {
    "latent_gan": "vqvae",
    "latent_prior": "vqvae",
    "wgan_gp": "vqvae",
    "feature_gan": "autoencoder",
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Speed:
    """seconds: of a step with its batch. waiting: the share of it until the batch is there."""

    seconds: float
    waiting: float


def write_tracks(folder: Path, audio: MelConfig) -> None:
    """data/clean and data/features of noise in two labels; the work is that of music."""
    rng = np.random.default_rng(0)
    samples = TRACK_SECONDS * audio.sample_rate
    tracks = []
    for label in LABELS:
        for number, split in enumerate(SPLITS):
            noise = to_int16(rng.normal(0, 0.1, samples).astype(np.float32))
            track = fake.of_sound(f"{label}-{number}", label, split, noise, audio)
            tracks += [replace(track, stem="instrumental"), track]  # pairs, for pix2pix
    fake.write_clean(folder / "data/clean", tracks)
    fake.write_features(folder / "data/features", tracks, audio)


def make_task(model: str, kind_of_it: str, values: Path) -> tuple[TrainSettings, Task]:
    """A model's task with the values of a parameter file, on the tracks in ./data.

    kind_of_it: its `kind`, or "" for that of the file.
    """
    shutil.copy(values, "params.yaml")
    if kind_of_it:
        fake.change_params(Path(), {model: {"kind": kind_of_it}})
    data = Data(model)
    if below := BELOW.get(model):
        under = TASKS[below]
        made = under.make(load(under.params_type, below), Data(below))
        made.trained().save(Path("models") / below)
    kind = TASKS[model]
    params = load(kind.params_type, model)
    settings = kind.settings(params)
    if settings is None:
        sys.exit(f"{model}: nothing to train with these parameters")
    return settings, kind.make(params, data)


def clock(device: torch.device, cpu_time: bool) -> float:
    """Seconds, once the device has done what it was given; CPU time if wanted and if it is one."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time() if cpu_time else time.perf_counter()


class Operations(TorchDispatchMode):
    """Counts floating-point operations by torch's own formulas.

    Its FlopCounterMode also tells modules apart, and its hooks for that refuse gradient penalties.
    """

    flop = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Do what was asked for, and count it."""
        result = function(*args, **(kwargs or {}))
        if formula := flop_registry.get(function.overloadpacket):
            self.flop += formula(*args, **(kwargs or {}), out_val=result)
        return result


class Bench:
    """One model on this machine, ready to be stepped."""

    def __init__(self, model: str, params: Path, runtime: Runtime) -> None:
        self.device, self.threads = start_device(runtime), runtime.threads
        torch.manual_seed(0)
        name, _, kind = model.partition(":")
        settings, self.task = make_task(name, kind, params)
        self.batch_size = settings.batch_size
        self.period = getattr(settings, "penalty_every", 1)  # steps after which costs repeat
        never = 10**9  # a step is what counts, not what is due every so many of them
        settings = replace(
            settings, steps=never, validate_every=never, sample_every=0, max_minutes=0.0
        )
        place(self.task, self.device, runtime)
        state, checkpoints = RunState(self.task), Checkpoints(name, "speed")
        outlet = Outlet(Path("metrics") / name)
        self.run = _Run(name, settings, runtime, 0, state, self.device, checkpoints, outlet)

    def gflop(self) -> float:
        """10^9 floating-point operations per step."""
        with self._batches(self.period, 0) as prepared, Operations() as counted:
            for batch in prepared:
                self.run.step(batch)
        return counted.flop / self.period / 1e9

    def speed(self, seconds: float, loaders: int) -> Speed:
        """The best of up to five rounds, which together take about `seconds` if they can."""
        rounds = [self._round(self.period, loaders)]
        left = seconds - rounds[0].seconds * self.period
        steps = self.period * max(1, round(left / ROUNDS / (rounds[0].seconds * self.period)))
        while len(rounds) < 2 or (len(rounds) <= ROUNDS and left > 0):
            rounds.append(self._round(steps, loaders))
            left -= rounds[-1].seconds * steps
        return min(rounds, key=lambda speed: speed.seconds)

    def _round(self, steps: int, loaders: int) -> Speed:
        # a loader's work is no time of the step unless the step waits for it
        cpu_time = self.threads == 1 and not loaders
        now = time.process_time if cpu_time else time.perf_counter
        waited = 0.0
        with self._batches(steps + 1, loaders) as prepared:
            self.run.step(next(prepared))
            start = clock(self.device, cpu_time)
            for _ in range(steps):
                asked = now()
                batch = next(prepared)
                waited += now() - asked
                self.run.step(batch)
            total = clock(self.device, cpu_time) - start
        return Speed(total / steps, waited / total)

    def _batches(self, steps: int, loaders: int) -> AbstractContextManager[Iterator[Batch]]:
        first = self.run.state.step
        return batches(self.task, 0, range(first, first + steps), self.device, loaders, Processes())


def peak_gflops(runtime: Runtime) -> float:
    """10^9 operations per second of the fastest matrix product or convolution in this precision.

    Both, because they come from different libraries, of which one may not know the processor.
    """
    device, best = start_device(runtime), 0.0
    for size in (512, 1024, 2048, 4096)[: 4 if device.type == "cuda" else 3]:
        matrix = torch.randn(size, size).to(device, DTYPES[runtime.precision])
        images = matrix.reshape(-1, 256, 32, 32)
        filters = torch.randn(256, 256, 3, 3).to(matrix)
        for work in (partial(torch.mm, matrix, matrix), partial(torch.conv2d, images, filters)):
            with Operations() as counted:
                work()
            for _ in range(3 * ROUNDS):
                start = clock(device, runtime.threads == 1)
                work()
                best = max(best, counted.flop / (clock(device, runtime.threads == 1) - start))
    return best / 1e9


def line(model: str, size: str, params: Path, runtime: Runtime, peak: float, seconds: float) -> str:
    """One row of the table. peak: in GFLOP/s. seconds: to be spent on each timing."""
    flop = Bench(model, params, replace(runtime, compile=False)).gflop()
    bench = Bench(model, params, runtime)
    alone, ahead = bench.speed(seconds, 0), bench.speed(seconds, 1)
    used = flop / alone.seconds / peak
    cells = [
        model, size, f"{bench.batch_size}", runtime.precision, "yes" if runtime.compile else "no",
        f"{1 / alone.seconds:.3g}", f"{flop:.3g}", f"{used:.0%}",
        f"{alone.waiting:.1%}", f"{ahead.waiting:.1%}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--models", default=",".join(TASKS), help="of these, comma-separated")
    parser.add_argument("--sizes", default="demo,paper", help="of these, comma-separated")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--seconds", type=float, default=5.0, help="to spend on each timing")
    parser.add_argument("--compile", action="store_true", help="with torch.compile too: slow")
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    wanted = arguments()
    runtime = replace(
        load(Runtime, "runtime", ROOT / "params.yaml"),
        device=wanted.device, threads=wanted.threads, compile=False, checkpoint_seconds=1e9,
        dvclive=False, tensorboard=False,
    )  # fmt: skip
    runtimes = [replace(runtime, precision=precision) for precision in DTYPES]
    peaks = [peak_gflops(runtime) for runtime in runtimes]
    os.environ.pop("DVC_ROOT", None)
    with TemporaryDirectory() as name, chdir(name):
        files = {"demo": Path("demo.yaml"), "paper": Path("paper.yaml")}
        for file in files.values():
            shutil.copy(ROOT / "params.yaml", file)
        apply_preset("full", ROOT / "presets", files["paper"])
        shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")
        write_tracks(Path(), load(MelConfig, "audio", files["demo"]))
        shown = [f"{p:.3g} in {r.precision}" for r, p in zip(runtimes, peaks, strict=True)]
        print(
            f"{start_device(runtime)}, threads {runtime.threads}; peak GFLOP/s: {', '.join(shown)}"
        )
        print(
            "\n| model | size | batch | precision | compiled | steps/s | GFLOP/step | of peak ",
            end="",
        )
        print("| data | visible |\n" + "|---" * 10 + "|", flush=True)
        for model, size, (peak, chosen), compiled in product(
            wanted.models.split(","), wanted.sizes.split(","),
            zip(peaks, runtimes, strict=True), (False, True) if wanted.compile else (False,),
        ):  # fmt: skip
            with redirect_stdout(sys.stderr):
                row = line(
                    model,
                    size,
                    files[size],
                    replace(chosen, compile=compiled),
                    peak,
                    wanted.seconds,
                )
            print(row, flush=True)


if __name__ == "__main__":
    main()
