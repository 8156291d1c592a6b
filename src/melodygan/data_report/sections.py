"""The sections of the page that the index of data/clean is enough for, each as pieces of HTML."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from melodygan.data_report.facts import DUPLICATE, Facts, kind_of, rejects_by_kind
from melodygan.data_report.problems import find_problems
from melodygan.dataset.split import SPLITS
from melodygan.page.charts import histogram, round_edges, stacked_bar
from melodygan.page.markup import count, duration, name, number, safe, table

_LABELS = 100  # rows of the table of labels
_LISTED = 250  # rejected tracks, and as many duplicates
_FEW_NAMED = 10  # labels
_FEW_TO_TEST = 4  # tracks of a label: fewer show next to no difference between scores
_KINDS = 20  # of rejects
_MOST_CUT = 5


def overview(facts: Facts) -> Iterator[str]:
    """From the headline figures and problems down to what trimming took."""
    for section in (_headline, _problems, _labels, _testing, _durations, _loudness, _trimming):
        yield from section(facts)


def left_out(facts: Facts) -> Iterator[str]:
    """The rejected tracks by reason, and the duplicates."""
    yield from _rejects(facts)
    yield from _duplicates(facts)


def _headline(facts: Facts) -> Iterator[str]:
    minutes = float(facts.seconds.sum()) / 60
    cards = [
        (f"{len(facts.tracks):,}", "tracks accepted"),
        (f"{len(facts.rejects):,}", "left out"),
        (number(minutes, 1 if minutes < 100 else 0), "minutes"),
        (f"{len(set(facts.labels)):,}", "label" if len(set(facts.labels)) == 1 else "labels"),
    ]
    yield '<div class="row">'
    yield from (
        f'<div class="card"><span class="figure">{figure}</span>{noun}</div>'
        for figure, noun in cards
    )
    yield "</div>"


def _problems(facts: Facts) -> Iterator[str]:
    yield "<h2>What needs attention</h2>"
    problems = find_problems(facts)
    if not problems:
        yield '<p class="fine">Nothing: every label has tracks in every split, and all checks pass.'
        yield "</p>"
    for problem in problems:
        yield f'<div class="problem"><p><b>{safe(problem.what)}</b></p>'
        remedy = re.sub("`(.*?)`", r"<code>\1</code>", safe(problem.remedy))
        yield f"<p>{remedy}</p></div>"


def _labels(facts: Facts) -> Iterator[str]:
    yield "<h2>Labels and splits</h2><p>"
    yield from (f'<span class="swatch {split}"></span><span>{split}</span>' for split in SPLITS)
    yield "</p>"
    tracks = Counter(zip(facts.labels, facts.splits, strict=True))
    totals = facts.seconds_per(facts.labels)
    keys = [f"{split} {label}" for label, split in zip(facts.labels, facts.splits, strict=True)]
    seconds = facts.seconds_per(keys)
    order = sorted(totals, key=lambda label: (-totals[label], label))
    rows = []
    for label in order[:_LABELS]:
        parts = {split: seconds[f"{split} {label}"] for split in SPLITS}
        bar = stacked_bar(parts, totals[order[0]])
        counts = [f"{tracks[label, split]:,}" for split in SPLITS]
        rows.append([name(label) + bar, number(totals[label] / 60, 1), *counts])
    yield table(["label", "minutes", *SPLITS], rows, numeric=4)
    if len(order) > _LABELS:
        rest = sum(totals[label] for label in order[_LABELS:])
        yield f'<p class="soft">{count(len(order) - _LABELS, "more label")}, {duration(rest)}.</p>'


def _testing(facts: Facts) -> Iterator[str]:
    """On how many tracks scores will rest: intervals go by tracks and not by minutes."""
    tested = Counter(dict.fromkeys(facts.labels, 0))
    tested.update(
        label for label, split in zip(facts.labels, facts.splits, strict=True) if split == "test"
    )
    few = [label for label in sorted(tested) if tested[label] < _FEW_TO_TEST]
    yield f"<p>Scores will rest on {count(tested.total(), 'test track')}. "
    if few:
        shown = ", ".join(name(label) for label in few[:_FEW_NAMED])
        more = f" and {len(few) - _FEW_NAMED:,} more" if len(few) > _FEW_NAMED else ""
        yield f"Fewer than {_FEW_TO_TEST} of {shown}{more}: few differences will show there. "
    yield "Four times as many tracks (or a larger <code>preprocess.test</code>) halve the interval "
    yield "of a score; <code>metrics/report.html</code> says how many would do.</p>"


def _durations(facts: Facts) -> Iterator[str]:
    seconds = facts.seconds
    order = np.argsort(seconds, kind="stable").tolist()
    median = float(np.median(seconds))
    # one recording of a whole concert would press all songs into the first bar
    top = max(1.0, min(float(seconds.max()), 3 * float(np.quantile(seconds, 0.9))))
    beyond = int((seconds > top).sum())
    scale, unit = (1, "s") if top < 300 else (60, "min")
    yield '<h2>Durations</h2><p class="soft">After trimming.'
    if beyond:
        yield f" {count(beyond, 'track')} of more than {duration(top)}: in the last bar."
    marks = {f"median {duration(median)}": median / scale}
    chart = histogram(seconds / scale, round_edges(0, top / scale), unit, "Durations", marks)
    yield '</p><div class="pair">'
    yield f"<figure><figcaption>Tracks by duration</figcaption>{chart}</figure>"
    rows = [
        ["shortest", name(facts.tracks[order[0]]), duration(seconds[order[0]])],
        ["median", "", duration(median)],
        ["longest", name(facts.tracks[order[-1]]), duration(seconds[order[-1]])],
    ]
    yield f"<figure>{table(['', 'track', 'duration'], rows, numeric=1)}</figure></div>"


def _loudness(facts: Facts) -> Iterator[str]:
    before, after = facts.loudness_before, facts.loudness_after
    held = np.flatnonzero(facts.held_back)
    yield "<h2>Loudness</h2><p>"
    yield f"Every track is brought to {number(facts.target)} LUFS, as far as its true peak stays "
    yield f"below {number(facts.ceiling)} dBTP. "
    if len(held):
        worst = int(held[after[held].argmin()])
        yield f"{count(len(held), 'track')} of {len(facts.tracks):,} stayed quieter for this "
        yield f"reason; the quietest is {name(facts.tracks[worst])} with "
        yield f"{number(after[worst])} LUFS."
    else:
        yield "All of them got there."
    both = np.concatenate([before, after, [facts.target - 6, facts.target + 6]]) - facts.target
    steps = np.arange(np.floor(both.min() + 0.5), np.ceil(both.max() - 0.5) + 2)
    edges = facts.target + steps - 0.5  # bars of 1 LU, one of them around the target
    target = {f"target {number(facts.target)}": facts.target}
    yield '</p><div class="pair">'
    for when, values in (("before", before), ("after", after)):
        chart = histogram(values, edges, "LUFS", f"Loudness {when} normalisation", target)
        yield f'<figure class="{when}"><figcaption>Tracks by loudness, <b>{when}</b> normalisation'
        yield f"</figcaption>{chart}</figure>"
    yield "</div>"


def _trimming(facts: Facts) -> Iterator[str]:
    before, after = float(facts.seconds_before.sum()), float(facts.seconds.sum())
    yield "<h2>Silence and noise cut</h2>"
    yield f"<p>{duration(before)} before, {duration(after)} after: trimming took "
    yield f"{number(100 * (1 - after / max(before, 1e-9)), 1)}&nbsp;% (noise and silence at head "
    yield "and tail, and long pauses).</p>"
    percent = 100 * facts.cut
    most = [int(i) for i in np.argsort(-percent, kind="stable")[:_MOST_CUT] if percent[i] > 0]
    if not most:
        return
    edges = round_edges(0, max(float(percent.max()), 10))
    chart = histogram(percent, edges, "% cut", "Share of each track that was cut")
    rows = (
        [
            name(facts.tracks[i]),
            duration(facts.seconds_before[i]),
            duration(facts.seconds[i]),
            f"{number(percent[i], 1)}&nbsp;%",
        ]
        for i in most
    )
    yield '<div class="pair">'
    yield f"<figure><figcaption>Tracks by the share that was cut</figcaption>{chart}</figure>"
    yield "<figure><figcaption>Cut most</figcaption>"
    yield f"{table(['track', 'before', 'after', 'cut'], rows, numeric=3)}</figure></div>"


def _rejects(facts: Facts) -> Iterator[str]:
    copies = kind_of(DUPLICATE)
    groups = [(kind, rows) for kind, rows in rejects_by_kind(facts).items() if kind != copies]
    yield "<h2>Left out</h2>"
    if not groups:
        yield "<p>No track had to be left out.</p>"
        return
    total = sum(len(rows) for _, rows in groups)
    yield f"<p>{count(total, 'track')}, by reason. <code>metrics/preprocess.json</code> has them "
    yield "all in one list.</p>"
    if len(groups) > _KINDS:
        rest = [row for _, rows in groups[_KINDS - 1 :] for row in rows]
        groups = [*groups[: _KINDS - 1], ("other reasons", rest)]
    shares = fair_shares([len(rows) for _, rows in groups], _LISTED)
    for (kind, rows), shown in zip(groups, shares, strict=True):
        yield f"<details><summary>{name(kind)} ({len(rows):,})</summary>"
        cells = ([name(row["file"]), name(row["rejected"])] for row in rows[:shown])
        yield f"{table(['file', 'reason'], cells)}{_more(len(rows) - shown)}</details>"


def _duplicates(facts: Facts) -> Iterator[str]:
    rows = rejects_by_kind(facts).get(kind_of(DUPLICATE), [])
    yield "<h2>Duplicates</h2>"
    if not rows:
        yield "<p>No recording came twice.</p>"
        return
    yield f"<p>{count(len(rows), 'more track')} left out, as the same recording is here already: "
    yield "a copy in another split would make test scores look too good.</p>"
    cells = (
        [name(row["file"]), name(row["rejected"].removeprefix(DUPLICATE))] for row in rows[:_LISTED]
    )
    yield f"<details><summary>All copies ({len(rows):,})</summary>"
    yield f"{table(['copy', 'same recording as'], cells)}{_more(len(rows) - _LISTED)}</details>"


def fair_shares(wanted: Sequence[int], budget: int) -> list[int]:
    """Split `budget` so that no one gets more than wanted and small wishes come true first."""
    shares = [0] * len(wanted)
    left = sorted(range(len(wanted)), key=wanted.__getitem__)
    while left:
        i = left.pop(0)
        shares[i] = min(wanted[i], budget // (len(left) + 1))
        budget -= shares[i]
    return shares


def _more(hidden: int) -> str:
    if hidden <= 0:
        return ""
    return f'<p class="soft">And {hidden:,} more: see <code>metrics/preprocess.json</code>.</p>'
