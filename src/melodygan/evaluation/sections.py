"""The sections of the page of results, each as pieces of HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from melodygan.evaluation.generated import Judge
from melodygan.evaluation.index import KINDS, Made
from melodygan.evaluation.players import listen
from melodygan.evaluation.readings import Score, name_of, read_scores
from melodygan.page.charts import scale_between
from melodygan.page.markup import name, number, safe, table
from melodygan.scores.intervals import tracks_needed

WIDTHS = {  # that would settle most questions, of scores of invented sound
    "time_distance": 0.1,
    "order_auc": 0.1,
    "memorisation": 0.1,
}


@dataclass(frozen=True)
class Model:
    """What the page says of one model.

    about: the stage's description. run: metrics/<stage>/run.json, empty where there is none.
    tested: metrics/<stage>.json. made: its clips by kind. heard: their scores by kind.
    """

    name: str
    about: str
    run: Mapping[str, Any]
    tested: Mapping[str, Any]
    made: Mapping[str, Sequence[Made]]
    heard: Mapping[str, Any]


def summary(models: Sequence[Model], test_tracks: int) -> Iterator[str]:
    """Figures of the whole, and each model's verdict."""
    clips = [clip for model in models for made in model.made.values() for clip in made]
    seconds = sum(len(clip.sound) / clip.audio.sample_rate for clip in clips)
    cards = [
        (f"{len(models):,}", "models"),
        (f"{len(clips):,}", "clips made"),
        (number(seconds / 60, 1), "minutes of them"),
        (f"{test_tracks:,}", "test tracks to judge by"),
    ]
    yield '<div class="row">'
    yield from (
        f'<div class="card"><span class="figure">{figure}</span>{noun}</div>'
        for figure, noun in cards
    )
    yield "</div><h2>The verdicts</h2><p>What each model's training ended with, on tracks it has "
    yield "never seen.</p>"
    for model in models:
        if said := model.run.get("verdict"):
            yield f'<p class="verdict"><a href="#{safe(model.name)}">{_verdict(said)}</a></p>'


def _verdict(said: str) -> str:
    """The line with the stage's name and what it comes to in bold."""
    stage, _, rest = said.partition(": ")
    return f"<b>{safe(stage)}</b> {safe(rest)}"


def how_to_read() -> Iterator[str]:
    """The picture of a score, explained by one."""
    yield "<h2>How to read the scores</h2><p>Every score lies on a way that leads from left to "
    yield "right: on the left what needs no model at all, on the right what is best. The diamond "
    yield "is the model; the bar around it says where it might lie with other test tracks "
    yield "(90&nbsp;% interval); circles are other answers to compare with, named under "
    yield "the pointer. A score alone is no verdict: listen first.</p>"
    yield '<div class="thirds scales"><figure>'
    example = ("without a model", 1.0), ("the best", 0.0)
    yield scale_between(0.4, *example, (0.25, 0.5), {"another answer": 0.8})
    yield "</figure></div>"


def model_section(model: Model, judge: Judge) -> Iterator[str]:
    """Everything about one model."""
    yield f'<h2 id="{safe(model.name)}">{safe(model.name)}</h2>'
    if model.about:
        yield f"<p>{safe(model.about)}.</p>"
    if said := model.run.get("verdict"):
        yield f'<p class="verdict">{_verdict(said)}</p>'
    for kind, made in model.made.items():
        yield f"<h3>{safe(KINDS[kind])}</h3>"
        yield from listen(kind, made, judge)
        scores, rest = read_scores(model.heard[kind])
        yield "<h3>Scores of what you hear</h3>"
        yield from _scores(scores)
        yield from _tags(rest)
        yield from _all_figures("All figures", scores, rest)
    if model.tested:
        scores, rest = read_scores(model.tested)
        yield "<h3>Scores of the model on test tracks</h3>"
        if model.made:
            yield '<p class="soft">Before the vocoder makes sound of it, on more tracks.</p>'
        yield from _scores(scores)
        yield from _all_figures("All figures of the test", scores, rest)
    yield from show_settings(model.run)


def _scores(scores: Sequence[Score]) -> Iterator[str]:
    """A picture and a sentence for each score that stands between known anchors."""
    judged = [score for score in scores if score.claim is not None] or list(scores)
    for group, of in groupby(judged, key=lambda score: score.group):
        if group:
            yield f'<p class="group"><b>{name(group.replace("_", " "))}</b></p>'
        yield '<div class="thirds scales">'
        for score in of:
            yield f"<figure><figcaption><b>{safe(score.title)}</b> "
            yield f"<code>{safe(score.name)}</code></figcaption>{_picture(score)}"
            yield f"<p>{safe(score.sentence())}</p></figure>"
        yield "</div>"


def _picture(score: Score) -> str:
    claim = score.claim
    if claim is None or claim.reached is None:
        return ""
    others = {
        name_of(key): value
        for key, value in score.anchors.items()
        if value not in (claim.baseline, claim.ideal)
    }
    ends = (claim.against, claim.baseline), (score.best, claim.ideal)
    return scale_between(score.value, *ends, score.interval, others)


def _tags(rest: Mapping[str, Any]) -> Iterator[str]:
    """What the jury calls conversions: a row for each direction and label that it knows."""
    rows: dict[str, dict[str, float]] = {}
    for key, value in rest.items():
        place, _, when = key.rpartition(".")
        if "jury_tags" in place:
            rows.setdefault(place.replace(".jury_tags", ""), {})[when] = value
    if rows:
        yield "<p>How sure the jury is of a tag, before and after the conversion, and of real "
        yield "tracks of the target:</p>"
        cells = (
            [name(place.replace("_", " ").replace(".", ": "))]
            + [number(of[when], 3) for when in ("before", "after", "real")]
            for place, of in rows.items()
        )
        yield table(["direction and tag", "before", "after", "real"], cells, numeric=3)


def _all_figures(title: str, scores: Sequence[Score], rest: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    rows = []
    for score in scores:
        beside = ", ".join(f"{name_of(key)} {number(x, 3)}" for key, x in score.anchors.items())
        interval = " to ".join(number(x, 3) for x in score.interval or ())
        place = f"{score.group}.{score.name}" if score.group else score.name
        rows.append([name(place), safe(beside), number(score.value, 3), interval])
    rows += [[name(key), "", _cell(value), ""] for key, value in rest.items()]
    yield table(["score", "beside", "value", "90&nbsp;% interval"], rows, numeric=2)
    yield "</details>"


def _cell(value: Any) -> str:
    return number(value, 3) if isinstance(value, int | float) else safe(str(value))


def show_settings(run: Mapping[str, Any]) -> Iterator[str]:
    """What a training stage's run.json says, folded; nothing where there is none."""
    if not run:
        return
    yield "<details><summary>Settings and course of the training</summary>"
    flat = {**_flat(run["settings"]), **_flat(run["outcome"])}
    yield table(["setting", "value"], ([name(k), safe(str(v))] for k, v in flat.items()), numeric=1)
    yield "</details>"


def _flat(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}{key}.")
        else:
            flat[f"{path}{key}"] = value
    return flat


def trust(models: Sequence[Model], test_tracks: int) -> Iterator[str]:
    """How many test tracks would make the figures of invented sound as exact as wanted."""
    rows = []
    for model in models:
        for key, width in WIDTHS.items():
            interval = model.heard.get("sample", {}).get(key, {}).get("floor_interval")
            needed = tracks_needed(interval, test_tracks, width)
            if needed is not None:
                spans = number(interval[1] - interval[0], 2)
                rows.append([safe(model.name), safe(key), spans, f"{needed:,}"])
    yield "<h2>How far the figures carry</h2>"
    if not rows:
        yield "<p>With a single test track, or without any invented sound, nothing can be said of "
        yield "it.</p>"
        return
    yield f"<p>They rest on {test_tracks:,} test tracks. The interval of a score of real music "
    yield "says what differences are too small to see; four times as many tracks halve it.</p>"
    head = ["model", "score", "interval now", "test tracks for 0.1"]
    yield table(head, rows, numeric=2)


def versions(found: Mapping[str, str]) -> Iterator[str]:
    """What the run was made with."""
    yield "<h2>Made with</h2><details><summary>Versions</summary>"
    rows = ([safe(package), safe(version)] for package, version in found.items())
    yield table(["package", "version"], rows, numeric=1)
    yield "</details>"
