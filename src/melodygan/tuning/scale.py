"""Is the data enough, and would longer training help? Runs of three sizes of both, and a sentence.

The last halves are judged: what did the second half of the data, or of the steps, bring, beside
what other seeds change? A gain counts when a one-sided t-test of the three seeds of the whole run
against the one run of half the size shows it at 5 %.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial

from melodygan.page.document import write_document
from melodygan.page.markup import duration, safe, table
from melodygan.pipeline.params import parse
from melodygan.tuning.charts import Axis, Dots, figure, plot, text
from melodygan.tuning.jobs import Job
from melodygan.tuning.setting import VALIDATIONS, Setting
from melodygan.tuning.space import Values, within

SIZES = (0.25, 0.5)  # beside the whole
SEEDS = 3  # of the whole
_T = 2.92  # the 95th percentile of Student's t with SEEDS - 1 degrees of freedom
WHOLE, DATA, STEPS = "whole", "data", "steps"


@dataclass(frozen=True)
class Growth:
    """What more of something brought.

    what: it is. half, whole: scores of half of it and the mean with all of it, lower is better.
    spread: standard deviation between seeds.
    """

    what: str
    half: float
    whole: float
    spread: float

    @property
    def helps(self) -> bool:
        """Whether the second half surely made it better."""
        return self.half - self.whole > _T * self.spread * math.sqrt(1 + 1 / SEEDS)

    def sentence(self, score: str) -> str:
        """For people."""
        noise = f"seeds differ by {self.spread:.2g}"
        if self.helps:
            part = (self.half - self.whole) / abs(self.half)
            return (
                f"more {self.what} would help: its second half took {score} from {self.half:.4g} "
                f"to {self.whole:.4g}, {part:.0%} better; {noise}"
            )
        return (
            f"more {self.what} would not help, as far as this shows: with half of it {score} is "
            f"{self.half:.4g}, with all {self.whole:.4g}; {noise}"
        )


def jobs(setting: Setting, steps: int) -> dict[str, Job]:
    """The runs by key. steps: of the whole run; a shorter one has a schedule of its own."""
    made: dict[str, Job] = {}
    for seed in range(SEEDS):
        key = f"{WHOLE}-{seed}"
        number = (setting.seed + seed) % 2**32
        made[key] = Job(setting.name, key, _length(setting, steps), number)
    for size in SIZES:
        key = f"{DATA}-{size}"
        made[key] = Job(setting.name, key, _length(setting, steps), share=size)
        key = f"{STEPS}-{size}"
        made[key] = Job(setting.name, key, _length(setting, max(1, int(size * steps))))
    return made


def steps_of(setting: Setting) -> int:
    """Of a run of the stage as params.yaml has it."""
    params = parse(setting.task_type.params_type, setting.group, setting.stage)
    return int(setting.task_type.settings(params).steps)


def _length(setting: Setting, steps: int) -> Values:
    kind = setting.kind_of({})
    # never stopped early: what is asked is what all of the steps bring
    every = max(1, steps // VALIDATIONS)
    lengths = {"steps": steps, "validate_every": every, "patience": 0}
    return {within(kind, name): value for name, value in lengths.items()}


def growths(held: Mapping[str, FrozenTrial]) -> list[Growth]:
    """Of data and of training, where all runs that it takes have a score."""
    wholes = [_score(held, f"{WHOLE}-{seed}") for seed in range(SEEDS)]
    known = [value for value in wholes if value is not None]
    found = []
    for what, kind in (("data", DATA), ("training", STEPS)):
        half = _score(held, f"{kind}-0.5")
        if half is not None and len(known) == SEEDS:
            mean, spread = statistics.mean(known), statistics.stdev(known)
            found.append(Growth(what, half, mean, spread))
    return found


def conclusion(setting: Setting, held: Mapping[str, FrozenTrial]) -> list[str]:
    """A sentence each, and the runs that failed."""
    score = setting.objectives[0].name
    lines = [growth.sentence(score) for growth in growths(held)]
    for key, trial in held.items():
        if not trial.values:
            lines.append(f"the run {key} has no score: {trial.user_attrs.get('reason', 'unknown')}")
    return lines


def write_scale_page(
    setting: Setting, held: Mapping[str, FrozenTrial], said: list[str], path: Path
) -> None:
    """Two curves and a table."""
    content = ['<div class="verdict">', *(f"<p>{safe(line)}</p>" for line in said), "</div>"]
    for caption, kind, attribute in (
        ("minutes of training data", DATA, "data_minutes"),
        ("steps of training", STEPS, "steps"),
    ):
        keys = [*(f"{kind}-{size}" for size in SIZES), *(f"{WHOLE}-{n}" for n in range(SEEDS))]
        runs = [held[key] for key in keys if key in held and held[key].values]
        if not runs:
            continue
        points = [(float(run.user_attrs[attribute]), run.values[0]) for run in runs]
        x = Axis.of(caption, [0.0, *(a for a, _ in points)])
        y = Axis.of(setting.objectives[0].name, [b for _, b in points])
        captions = [f"{run.user_attrs['key']}: {text(run.values[0])}" for run in runs]
        line = [*points[: -SEEDS or None], _middle(points[-SEEDS:])]
        groups = [Dots("complete", line, line=True), Dots("complete", points, captions)]
        content.append(f"<h2>{safe(setting.objectives[0].name)} over {caption}</h2>")
        content.append(figure(plot(x, y, groups, caption)))
    rows = [_row(held[key]) for key in sorted(held)]
    head = ["run", "minutes of data", "steps", "CPU time of training", setting.objectives[0].name]
    content.append(f"<h2>Runs</h2>{table(head, rows, 4)}")
    subtitle = f"Validation scores with less data and less training, study <code>{setting.name}"
    footer = "Less is better. The smaller shares are parts of the larger ones."
    write_document(path, f"Scale: {setting.stage}", f"{subtitle}</code>", content, footer)


def _middle(points: list[tuple[float, float]]) -> tuple[float, float]:
    return points[0][0], statistics.mean(value for _, value in points)


def _row(trial: FrozenTrial) -> list[str]:
    notes = trial.user_attrs
    if not trial.values:
        return [safe(notes["key"]), "", "", "", safe(notes.get("reason", ""))]
    size = f"{notes['data_minutes']:.3g}", str(notes["steps"]), duration(notes["cpu"])
    return [safe(notes["key"]), *size, text(trial.values[0])]


def _score(held: Mapping[str, FrozenTrial], key: str) -> float | None:
    trial = held.get(key)
    return float(trial.values[0]) if trial is not None and trial.values else None
