"""How much faster the per-track stages are with two workers than with one.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/scaling.py [TRACKS] [MINUTES]

TRACKS (100) songs of MINUTES (4) of stereo at 44.1 kHz, not separated, through the stages, with
`runtime.workers` 1 and 2 in turn and an empty side cache each time. Prints wall seconds of each
stage, start and imports included, and how many times real time that is; of two rounds the better
one, because other work on the machine only ever slows one down. Cores used are the CPU seconds of
the stage with two workers by its wall seconds. The first line is the ceiling: as
many Fourier transforms in one process, then in two at once, whose cores share their memory and,
on a virtual machine, perhaps more.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from workspace import clone, set_params, timed, write_music

ROUNDS = 2
STAGES = ("separate", "preprocess", "features")
PARAMS = {"separate": {"enabled": False}, "preprocess": {"stems": ["mix"]}}
TRANSFORMS = (
    "import numpy, scipy.fft; x = numpy.ones((128, 1024), 'f4')\n"
    "for _ in range(20000): scipy.fft.rfft(x)"
)


def print_row(name: str, audio: float, one: float, two: tuple[float, float]) -> None:
    """A line of the table; `audio`: seconds of it, 0 if there is none."""
    wall, cpu = two
    speed = f"{audio / one:,.0f}" if audio else ""
    cores, faster = f"{cpu / wall:.2f}", f"{one / wall:.2f}"
    print(f"| {name} | {one:.1f} | {speed} | {wall:.1f} | {cores} | {faster} |", flush=True)


def main() -> None:
    """Print a Markdown table."""
    tracks = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    with tempfile.TemporaryDirectory() as folder:
        checkout, music = Path(folder) / "checkout", Path(folder) / "music/songs"
        music.mkdir(parents=True)
        for number in range(tracks):
            write_music(music / f"{number}.flac", minutes * 60, number)
        clone(checkout, music.parent)
        for command in (["melodygan", "lock"], [sys.executable, "stages/download.py"]):
            timed(command, checkout)
        print("| stage | 1 worker, s | x real time | 2 workers, s | cores used | faster by |")
        print("|---|---|---|---|---|---|")
        work = [sys.executable, "-c", TRANSFORMS]
        alone, beside = (min(timed(work, checkout, n) for _ in range(ROUNDS)) for n in (1, 2))
        print_row("Fourier transforms (the ceiling)", 0, 2 * alone[0], beside)
        for stage in STAGES:
            times: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
            for workers in (1, 2) * ROUNDS:
                set_params(checkout, PARAMS | {"runtime": {"workers": workers}})
                shutil.rmtree(checkout / f".cache/tracks/{stage}", ignore_errors=True)
                times[workers].append(timed([sys.executable, f"stages/{stage}.py"], checkout))
            print_row(stage, tracks * minutes * 60, min(times[1])[0], min(times[2]))


if __name__ == "__main__":
    main()
