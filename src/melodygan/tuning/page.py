"""metrics/tune/STAGE.html: a search for the eye, one file that opens offline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from melodygan.page.document import write_document
from melodygan.page.markup import count, duration, safe, table
from melodygan.tuning.charts import Axis, Dots, bars, figure, legend, parallel, plot, text
from melodygan.tuning.outcome import Sure
from melodygan.tuning.sampling import BASELINE
from melodygan.tuning.setting import Setting

_KINDS = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
_LEGEND = ("baseline", "best", "complete", "pruned", "failed")


@dataclass(frozen=True)
class Found:
    """What a page shows. held: trials by key. marked: keys of the best, or of the Pareto front.

    important: shares of 1 by parameter, of the first objective. said: the conclusion's lines.
    """

    setting: Setting
    held: Mapping[str, FrozenTrial]
    marked: frozenset[str]
    important: Mapping[str, float]
    sure: Sure | None
    said: Sequence[str]

    @property
    def trials(self) -> list[FrozenTrial]:
        """Those that have ended, in the order of their keys."""
        ended = [trial for trial in self.held.values() if trial.state in _KINDS]
        return sorted(ended, key=lambda trial: int(trial.user_attrs["key"]))

    def kind(self, trial: FrozenTrial) -> str:
        """Its colour."""
        if trial.user_attrs["key"] in self.marked:
            return "best"
        return "baseline" if trial.user_attrs["key"] == BASELINE else _KINDS[trial.state]


def write_page(found: Found, path: Path) -> None:
    """Write the page of a search."""
    setting = found.setting
    subtitle = f"{count(len(found.trials), 'trial')}, study <code>{safe(setting.name)}</code>"
    sections = [_summary(found)]
    for section in (_history, _curves, _importances, _slices, _parallel, _front, _trials):
        sections.extend(section(found))
    footer = (
        "Scores are of validation tracks; the test split is touched by the winner's own run alone. "
        "<code>docs/tuning.md</code> says how to go on."
    )
    write_document(path, f"Search: {setting.stage}", subtitle, sections, footer)


def _summary(found: Found) -> str:
    lines = "".join(f"<p>{safe(line)}</p>" for line in found.said)
    if fixed := found.setting.space.fixed:
        shown = ", ".join(f"{key} {text(value)}" for key, value in fixed.items())
        lines += f'<p class="soft">In all trials: {safe(shown)}.</p>'
    return f'<div class="verdict">{lines}</div>'


def _history(found: Found) -> Iterator[str]:
    """Each trial's value, and the best so far."""
    objective = found.setting.objectives[0]
    values = {t.number: v for t in found.trials if (v := _value(found, t)) is not None}
    shown = [t for t in found.trials if t.number in values]
    if not shown:
        return
    keys = [int(t.user_attrs["key"]) for t in found.trials]
    x = Axis("trial", min(keys) - 0.5, max(keys) + 0.5)
    y = Axis.of(objective.name, values.values(), not objective.higher)
    groups = [*_groups(found, lambda t: int(t.user_attrs["key"]), shown)]
    best, so_far = None, []
    for trial in shown:
        if trial.state == TrialState.COMPLETE:
            value = trial.values[0]
            if best is None or (value > best if objective.higher else value < best):
                best = value
            so_far.append((int(trial.user_attrs["key"]), best))
    groups.insert(0, Dots("complete", so_far, line=True))
    yield "<h2>History</h2>"
    yield (
        f"<p>{safe(objective.name)} of each trial, {_better(found)}; of a pruned one, the best "
        "that it had. The line is the best so far.</p>"
    )
    yield legend(_LEGEND)
    yield figure(plot(x, y, groups, "history"))


def _curves(found: Found) -> Iterator[str]:
    """Validation scores while training."""
    shown = [t for t in found.trials if t.user_attrs.get("curve")]
    if not shown:
        return
    objective = found.setting.objectives[0]
    curves = [t.user_attrs["curve"] for t in shown]
    x = Axis("step", 0.0, max(float(step) for curve in curves for step, _ in curve))
    y = Axis.of(objective.name, [v for curve in curves for _, v in curve], not objective.higher)
    shown.sort(key=lambda t: _LEGEND[::-1].index(found.kind(t)))
    groups = [Dots(found.kind(t), t.user_attrs["curve"], line=True) for t in shown]
    yield "<h2>Curves</h2><p>Validation scores while they trained.</p>"
    yield figure(plot(x, y, groups, "validation curves"))


def _importances(found: Found) -> Iterator[str]:
    if found.important:
        yield "<h2>What mattered</h2>"
        yield (
            "<p>Shares of the variance of the score between complete trials, by functional ANOVA. "
            "With few trials they are rough.</p>"
        )
        yield figure(bars(found.important))


def _slices(found: Found) -> Iterator[str]:
    """The score along each parameter."""
    objective = found.setting.objectives[0]
    shown = [t for t in found.trials if _value(found, t) is not None]
    figures = []
    for name, dimension in found.setting.space.searched.items():
        having = [t for t in shown if name in t.user_attrs["values"]]
        if not having:
            continue
        x = Axis.along(name, dimension, [t.user_attrs["values"][name] for t in having])
        values = [v for t in having if (v := _value(found, t)) is not None]
        y = Axis.of(objective.name, values, not objective.higher)
        groups = list(_groups(found, lambda t, n=name: t.user_attrs["values"][n], having))
        caption = f"<figcaption><b>{safe(name)}</b></figcaption>"
        figures.append(f"<figure>{caption}{plot(x, y, groups, name)}</figure>")
    if figures:
        yield f"<h2>Slices</h2><p>{safe(objective.name)} along each parameter.</p>"
        yield f'<div class="pair">{"".join(figures)}</div>'


def _parallel(found: Found) -> Iterator[str]:
    """All parameters and the score at once."""
    objective = found.setting.objectives[0]
    searched = found.setting.space.searched
    rows = [t for t in found.trials if t.state == TrialState.COMPLETE]
    names = [n for n in searched if all(n in t.user_attrs["values"] for t in rows)]
    if len(rows) < 2 or not names:
        return
    axes = [Axis.along(n, searched[n], [t.user_attrs["values"][n] for t in rows]) for n in names]
    axes.append(Axis.of(objective.name, [t.values[0] for t in rows], not objective.higher))
    rows.sort(key=lambda t: _LEGEND[::-1].index(found.kind(t)))
    lines = [
        (
            found.kind(t),
            [*(t.user_attrs["values"][name] for name in names), t.values[0]],
            _caption(found, t),
        )
        for t in rows
    ]
    yield "<h2>Parallel coordinates</h2><p>One line for each complete trial.</p>"
    yield figure(parallel(axes, lines))


def _front(found: Found) -> Iterator[str]:
    """Two objectives against each other, for each further one."""
    objectives = found.setting.objectives
    shown = [t for t in found.trials if t.state == TrialState.COMPLETE]
    if len(objectives) < 2 or not shown:
        return
    yield "<h2>Pareto front</h2>"
    yield "<p>Of the marked ones, none is beaten by another in all objectives.</p>"
    first = objectives[0]
    x = Axis.of(first.name, [t.values[0] for t in shown], not first.higher)
    for place, other in enumerate(objectives[1:], 1):
        y = Axis.of(other.name, [t.values[place] for t in shown], not other.higher)
        groups = [
            Dots(
                kind, [(t.values[0], t.values[place]) for t in of], [_caption(found, t) for t in of]
            )
            for kind, of in _by_kind(found, shown)
        ]
        caption = f"<figcaption>{safe(other.name)} over {safe(first.name)}</figcaption>"
        yield figure(plot(x, y, groups, other.name), caption)


def _trials(found: Found) -> Iterator[str]:
    """All of them as a table."""
    objectives = found.setting.objectives
    names = list(found.setting.space.searched)
    rows = []
    for trial in found.trials:
        values = trial.user_attrs.get("values", {})
        scores = [text(float(v)) for v in trial.values] if trial.values else [""] * len(objectives)
        rows.append([
            safe(trial.user_attrs["key"]),
            safe(found.kind(trial)),
            safe(trial.user_attrs.get("reason", "")),
            *(safe(text(values[name])) if name in values else "" for name in names),
            duration(trial.user_attrs.get("seconds", 0.0)),
            *scores,
        ])  # fmt: skip
    head = ["trial", "", "why", *map(safe, names), "time", *(safe(o.name) for o in objectives)]
    yield f"<h2>Trials</h2>{table(head, rows, len(names) + 1 + len(objectives))}"


def _groups(found: Found, x: Any, shown: Sequence[FrozenTrial]) -> Iterator[Dots]:
    for kind, of in _by_kind(found, shown):
        points = [(x(trial), _value(found, trial)) for trial in of]
        yield Dots(kind, points, [_caption(found, trial) for trial in of])


def _by_kind(found: Found, shown: Sequence[FrozenTrial]) -> Iterator[tuple[str, list[FrozenTrial]]]:
    for kind in _LEGEND[::-1]:  # the ones that matter on top
        if of := [trial for trial in shown if found.kind(trial) == kind]:
            yield kind, of


def _value(found: Found, trial: FrozenTrial) -> float | None:
    """Of the first objective; of a trial that was ended early, the best that it had."""
    if trial.values:
        return float(trial.values[0])
    seen = [value for _, value in trial.user_attrs.get("curve", [])]
    if not seen:
        return None
    return max(seen) if found.setting.objectives[0].higher else min(seen)


def _caption(found: Found, trial: FrozenTrial) -> str:
    values = trial.user_attrs.get("values", {})
    words = ", ".join(f"{name} {text(value)}" for name, value in values.items())
    value = _value(found, trial)
    said = "" if value is None else f" {found.setting.objectives[0].name} {text(value)}"
    return f"trial {trial.user_attrs['key']}:{said}; {words}"


def _better(found: Found) -> str:
    return "more is better" if found.setting.objectives[0].higher else "less is better"
