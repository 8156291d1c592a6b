"""CPU time of a search beside the training itself: `python benchmarks/tuning_cost.py STAGE STEPS`.

Run in a checkout whose data are made. Searches with 2 and with 10 trials of STEPS steps, each in a
storage of its own, and takes the difference, so that starting the processes does not count; the
rest of all CPU time, less that of the training loops, is what 8 trials cost beside training.
tune.yaml is put back afterwards.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import optuna
from ruamel.yaml import YAML

FEW, MANY = 2, 10


def spent(stage: str, trials: int, folder: str) -> tuple[float, float]:
    """CPU s of all processes of a search, and of its training loops."""
    url = f"sqlite:///{folder}/{trials}.db"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # two objectives: no trial is cut short, and none is run again
    among = ["--trials", str(trials), "--storage", url, "--objectives", OBJECTIVES]
    command = [sys.executable, "-m", "melodygan.cli", "tune", stage, *among]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (name,) = optuna.get_all_study_names(url)
    done = optuna.load_study(study_name=name, storage=url).get_trials()
    training = sum(trial.user_attrs.get("cpu", 0.0) for trial in done)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return whole, training


if __name__ == "__main__":
    STAGE, STEPS = sys.argv[1], int(sys.argv[2])
    from melodygan.tuning.stages import task_of

    OBJECTIVES = f"{task_of(STAGE).score},minutes"
    shipped = Path("tune.yaml").read_bytes()
    table = YAML(typ="safe").load(shipped)
    table[STAGE] |= {"steps": STEPS}
    try:
        YAML().dump(table, Path("tune.yaml"))
        with tempfile.TemporaryDirectory() as folder:
            few, many = (spent(STAGE, trials, folder) for trials in (FEW, MANY))
    finally:
        Path("tune.yaml").write_bytes(shipped)
    count = MANY - FEW
    training = (many[1] - few[1]) / count
    beside = (many[0] - few[0]) / count - training
    print(f"a trial: {training:.2f} CPU-s of training, {beside:.3f} CPU-s beside it")
    print(f"a search of {FEW}: {few[0]:.1f} CPU-s in all, {few[1]:.1f} of it training")
