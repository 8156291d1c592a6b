"""What the benchmarks of the data side share: made-up music and a checkout to work in."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
RATE = 44100  # Hz, of the made-up music


def write_music(path: Path, seconds: float, seed: int = 0) -> None:
    """Decaying chords over some hiss, in stereo, then a second of rest, every half minute anew."""
    rng = np.random.default_rng(seed)
    beat = np.arange(RATE // 2) / RATE
    chords = []
    for _ in range(58):
        notes = 110 * 2 ** (rng.integers(0, 36, (4, 1)) / 12)
        chord = np.sin(2 * np.pi * notes * beat).sum(axis=0) * np.exp(-4 * beat)
        chords.append(np.outer(chord, [0.15, 0.1]) + rng.normal(0, 3e-3, (len(beat), 2)))
    half_minute = np.concatenate([*chords, rng.normal(0, 1e-5, (RATE, 2))])
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(round(seconds / 30)):
            file.write(half_minute)


def environment() -> dict[str, str]:
    """This process's variables without what a run around it has set, and with this Python's
    programs first."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MELODYGAN_"))}
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    return kept | {"PATH": path}


def clone(checkout: Path, music: Path) -> None:
    """A clone of this checkout's last commit that takes its tracks from the folder `music`."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
    (checkout / "data/sources.yaml").write_text(f"sources:\n  - folder: {music}\n")


def timed(command: list[str], folder: Path, copies: int = 1) -> tuple[float, float]:
    """Wall and CPU seconds that some copies of a command take at once; ends where one fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [
        subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL)
        for _ in range(copies)
    ]
    if any(process.wait() for process in running):
        sys.exit(f"{' '.join(command)} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def set_params(checkout: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Change params.yaml, group by group."""
    yaml = YAML()
    params = yaml.load(checkout / "params.yaml")
    for group, values in changes.items():
        params[group].update(values)
    yaml.dump(params, checkout / "params.yaml")
