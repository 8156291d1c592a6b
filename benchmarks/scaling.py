"""How much faster preprocess and features are with two workers than with one.

    python benchmarks/scaling.py [TRACKS] [MINUTES]

TRACKS (24) songs of MINUTES (3) of stereo at 44.1 kHz, not separated, through the two stages, with
`runtime.workers` 1 and 2 in turn and an empty side cache each time. Prints wall seconds of each
stage, start and imports included, and how many times real time that is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("separate", "preprocess", "features")


def make_song(path: Path, number: int, seconds: float) -> None:
    """Noisy chords, other ones for each number."""
    rng = np.random.default_rng(number)
    samples = np.arange(round(seconds * 44100)) / 44100
    chord = sum(np.sin(2 * np.pi * hz * samples) for hz in rng.uniform(80, 3000, 5))
    song = 0.1 * chord * np.exp(-(samples % 0.5) * 3) + 0.02 * rng.standard_normal(len(samples))
    soundfile.write(path, np.stack([song, 0.8 * song], axis=1), 44100, "PCM_16")


def run(checkout: Path, stage: str, workers: int) -> float:
    """Wall seconds of a stage's script."""
    yaml = YAML()
    params = yaml.load(checkout / "params.yaml")
    params["runtime"]["workers"] = workers
    params["separate"]["enabled"] = False
    params["preprocess"]["stems"] = ["mix"]
    yaml.dump(params, checkout / "params.yaml")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MELODYGAN_"))}
    start = time.perf_counter()
    command = [sys.executable, f"stages/{stage}.py"]
    subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print a Markdown table."""
    tracks = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    with tempfile.TemporaryDirectory() as folder:
        checkout, music = Path(folder) / "checkout", Path(folder) / "music/songs"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
        music.mkdir(parents=True)
        for number in range(tracks):
            make_song(music / f"{number}.flac", number, minutes * 60)
        (checkout / "data/sources.yaml").write_text(f"sources:\n  - folder: {music.parent}\n")
        program = str(Path(sys.executable).with_name("melodygan"))
        subprocess.run([program, "lock"], cwd=checkout, check=True, capture_output=True)
        run(checkout, "download", 1)
        print("| stage | 1 worker, s | x real time | 2 workers, s | faster by |")
        print("|---|---|---|---|---|")
        for stage in STAGES:
            walls = []
            for workers in (1, 2):
                shutil.rmtree(checkout / f".cache/tracks/{stage}", ignore_errors=True)
                walls.append(run(checkout, stage, workers))
            speed = tracks * minutes * 60 / walls[0]
            print(
                f"| {stage} | {walls[0]:.1f} | {speed:,.0f} | {walls[1]:.1f} "
                f"| {walls[0] / walls[1]:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
