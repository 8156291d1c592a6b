"""Wall and CPU seconds of every stage of a cold `dvc repro`, and of one with nothing to do.

    uv run python benchmarks/stages.py FOLDER

FOLDER is a clone without results, which is left with them. CPU seconds are user + system of the
stage's process and its workers. Each stage runs by itself (`dvc repro -s`), so DVC's own start is
part of its time.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import yaml


def cpu_seconds() -> float:
    """User + system seconds of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(folder: Path, *command: str) -> tuple[float, float]:
    """Run a command in `folder`; its wall and CPU seconds."""
    wall, cpu = time.monotonic(), cpu_seconds()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - wall, cpu_seconds() - cpu


def main() -> None:
    """Print a Markdown table."""
    folder = Path(sys.argv[1])
    print("| stage | wall s | CPU s |\n|---|---|---|")
    total_wall = total_cpu = 0.0
    for stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]:
        wall, cpu = timed(folder, "dvc", "repro", "-s", stage)
        print(f"| {stage} | {wall:.1f} | {cpu:.1f} |", flush=True)
        total_wall, total_cpu = total_wall + wall, total_cpu + cpu
    print(f"| **all** | {total_wall:.1f} | {total_cpu:.1f} |")
    wall, cpu = timed(folder, "dvc", "repro")
    print(f"| nothing to do | {wall:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    main()
