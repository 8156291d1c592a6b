"""What DVC and the stages before training cost with many tracks: cold, nothing to do, one more.

    python benchmarks/many_tracks.py [TRACKS]

Copies this checkout into a temporary folder, makes TRACKS (1,000) sounds of half a second, and
prints wall and CPU seconds of `dvc repro data_report` in each situation. Separation is off: its
models would take most of the time.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from workspace import clone, set_params, timed

RATE = 16000
PARAMS = {
    "separate": {"enabled": False},
    "preprocess": {"stems": ["mix"], "min_seconds": 0.4},
}


def make_sound(folder: Path, number: int) -> None:
    """Half a second of noise in falling bursts, other for each number."""
    rng = np.random.default_rng(number)
    sound = rng.standard_normal(RATE // 2) * np.exp(-(np.arange(RATE // 2) % 2000) / 500) * 0.2
    soundfile.write(folder / f"{number:06d}.wav", sound, RATE, "PCM_16")


def report(checkout: Path, what: str, *command: str) -> None:
    """Run a command in the checkout and print what it took."""
    wall, cpu = timed(list(command), checkout)
    print(f"| {what} | {wall:.2f} | {cpu:.2f} |", flush=True)


def main() -> None:
    """Print a Markdown table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        checkout, music = Path(folder) / "checkout", Path(folder) / "music/noise"
        music.mkdir(parents=True)
        for number in range(count):
            make_sound(music, number)
        clone(checkout, music.parent)
        set_params(checkout, PARAMS)
        repro, lock = ("dvc", "repro", "data_report"), ("melodygan", "lock")
        print(f"| {count:,} tracks | wall s | CPU s |\n|---|---|---|")
        report(checkout, "lock", *lock)
        report(checkout, "cold", *repro)
        report(checkout, "nothing to do", *repro)
        report(checkout, "nothing to do, again", *repro)
        make_sound(music, count)
        report(checkout, "lock, one track more", *lock)
        for stage in ("download", "separate", "preprocess", "features", "data_report"):
            report(checkout, f"one track more: {stage}", "dvc", "repro", "-s", stage)


if __name__ == "__main__":
    main()
