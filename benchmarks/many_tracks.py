"""What DVC and the stages before training cost with many tracks: cold, nothing to do, one more.

    python benchmarks/many_tracks.py [TRACKS] [MINUTES]

Copies this checkout into a temporary folder, makes TRACKS (1,000) sounds of half a second, or
songs of MINUTES in stereo at 44.1 kHz, and prints wall and CPU seconds of `dvc repro data_report`
in each situation. Separation is off: its models would take most of the time.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from workspace import clone, environment, set_params, write_music

RATE = 16000
PARAMS = {
    "separate": {"enabled": False},
    "preprocess": {"stems": ["mix"], "min_seconds": 0.4},
}


def make_sound(folder: Path, number: int, minutes: float) -> None:
    """Half a second of noise in falling bursts, or a song; other for each number."""
    if minutes:
        write_music(folder / f"{number:06d}.flac", 60 * minutes, number)
        return
    rng = np.random.default_rng(number)
    sound = rng.standard_normal(RATE // 2) * np.exp(-(np.arange(RATE // 2) % 2000) / 500) * 0.2
    soundfile.write(folder / f"{number:06d}.wav", sound, RATE, "PCM_16")


def timed(checkout: Path, what: str, *command: str) -> None:
    """Run a command in the checkout and print what it took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=checkout, env=environment(), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"| {what} | {wall:.2f} | {cpu:.2f} |", flush=True)


def main() -> None:
    """Print a Markdown table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    with tempfile.TemporaryDirectory() as folder:
        checkout, music = Path(folder) / "checkout", Path(folder) / "music/noise"
        music.mkdir(parents=True)
        for number in range(count):
            make_sound(music, number, minutes)
        clone(checkout, music.parent)
        set_params(checkout, PARAMS)
        repro, lock = ("dvc", "repro", "data_report"), ("melodygan", "lock")
        print(f"| {count:,} tracks | wall s | CPU s |\n|---|---|---|")
        timed(checkout, "lock", *lock)
        timed(checkout, "cold", *repro)
        timed(checkout, "nothing to do", *repro)
        timed(checkout, "nothing to do, again", *repro)
        make_sound(music, count, minutes)
        timed(checkout, "lock, one track more", *lock)
        for stage in ("download", "separate", "preprocess", "features", "data_report"):
            timed(checkout, f"one track more: {stage}", "dvc", "repro", "-s", stage)


if __name__ == "__main__":
    main()
