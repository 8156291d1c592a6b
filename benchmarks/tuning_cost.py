"""What a search costs beside the training itself: `python benchmarks/tuning_cost.py STAGE STEPS`.

Run in a checkout whose data are made. Searches with 2 and with 10 trials of STEPS steps, each in a
storage of its own, and takes the difference, so that starting the processes does not count; the
rest of all CPU time, less that of the training loops, is what 8 trials cost beside training.

    python benchmarks/tuning_cost.py STAGE STEPS --rounds 3

tells instead how many more trials a minute two workers get through than one: searches for `lr`
alone, of 9 trials with one worker and of 10 with two, in turn, since other work on the machine
comes and goes. Counted is from the moment when each worker has done its first trial. Beside each
pair stands what two processes that share nothing, each multiplying matrices in one thread, were
faster than one: the most that could be had then.

tune.yaml is put back afterwards.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from ruamel.yaml import YAML

FEW, MANY = 2, 10
COUNTED = 8  # trials of either search of a pair
BUSY = (
    "import time, torch; torch.set_num_threads(1); m = torch.randn(600, 600); input()\n"
    "for _ in range(300): m @ m"
)


def spent(stage: str, trials: int, folder: str) -> tuple[float, float]:
    """CPU s of all processes of a search, and of its training loops."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = search(stage, trials, 1, f"{folder}/{trials}.db")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    training = sum(trial.user_attrs.get("cpu", 0.0) for trial in done)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return whole, training


def search(stage: str, trials: int, workers: int, file: str) -> list[FrozenTrial]:
    """The trials of a search that cuts none short, and runs none again: it has two objectives."""
    from melodygan.tuning.stages import task_of

    url = f"sqlite:///{file}"
    among = ["--trials", str(trials), "--storage", url, "-j", str(workers)]
    objectives = ["--objectives", f"{task_of(stage).score},minutes"]
    command = [sys.executable, "-m", "melodygan.cli", "tune", stage, *among, *objectives]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    (name,) = optuna.get_all_study_names(url)
    return optuna.load_study(study_name=name, storage=url).get_trials()


def rate(stage: str, workers: int, file: str) -> float:
    """Trials a minute, once each worker has done its first."""
    done = search(stage, COUNTED + workers, workers, file)
    ends = sorted(trial.datetime_complete for trial in done if trial.datetime_complete)
    return 60 * COUNTED / (ends[-1] - ends[workers - 1]).total_seconds()


def ceiling() -> float:
    """How much faster than one after the other two processes are that share nothing."""
    alone, both = busy(1), busy(2)
    return 2 * alone / both


def busy(count: int) -> float:
    """Wall s of so many processes, from when all have started to when all have ended."""
    pipe: Any = {"stdin": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", BUSY], **pipe) for _ in range(count)]
    time.sleep(5.0 * count)  # until they wait for their input
    began = time.perf_counter()
    for process in processes:
        process.communicate("\n")
    return time.perf_counter() - began


def pairs(stage: str, rounds: int, folder: str) -> None:
    """Print one line a pair."""
    for number in range(rounds):
        free = ceiling()
        one, two = (rate(stage, n, f"{folder}/{number}-{n}.db") for n in (1, 2))
        print(
            f"one worker {one:.1f} trials a minute, two {two:.1f}: {two / one:.2f} times as many; "
            f"two busy loops {free:.2f}",
            flush=True,
        )


def cost(stage: str, folder: str) -> None:
    """Print what a trial costs beside training."""
    few, many = (spent(stage, trials, folder) for trials in (FEW, MANY))
    count = MANY - FEW
    training = (many[1] - few[1]) / count
    beside = (many[0] - few[0]) / count - training
    print(f"a trial: {training:.2f} CPU-s of training, {beside:.3f} CPU-s beside it")
    print(f"a search of {FEW}: {few[0]:.1f} CPU-s in all, {few[1]:.1f} of it training")


def main() -> None:
    """Measure in the present folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("stage")
    parser.add_argument("steps", type=int)
    parser.add_argument("--rounds", type=int, default=0, help="pairs of one and two workers")
    wanted = parser.parse_args()
    shipped = Path("tune.yaml").read_bytes()
    table = YAML(typ="safe").load(shipped)
    group = table[wanted.stage]
    # what is tried must not change how long a trial takes
    group = {"lr": group["lr"]} if wanted.rounds else group
    table[wanted.stage] = group | {"steps": wanted.steps}
    try:
        YAML().dump(table, Path("tune.yaml"))
        with tempfile.TemporaryDirectory() as folder:
            if wanted.rounds:
                pairs(wanted.stage, wanted.rounds, folder)
            else:
                cost(wanted.stage, folder)
    finally:
        Path("tune.yaml").write_bytes(shipped)


if __name__ == "__main__":
    main()
