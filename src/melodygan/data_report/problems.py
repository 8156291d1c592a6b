"""What about the training data may spoil the training, in plain words, and what to do about it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from melodygan.data_report.facts import Facts, rejects_by_kind
from melodygan.dataset.split import SPLITS

_FEWEST = 3  # tracks; one for each split
_UNEVEN = 10.0  # times as many minutes
_REJECTED = 0.25  # of all tracks
_QUIET = 6.0  # LU below the target
_SHORTENED = 0.5  # of a track's length
_MANY_SHORTENED = 0.1  # of the tracks
_NAMED = 5  # names in one sentence
_LONGEST_NAME = 60  # characters

_ADD = "add tracks to data/sources.yaml, run `melodygan lock`, then `dvc repro`"
_REMEDIES = {  # by the beginning of a kind of reject
    "shorter": "lower `preprocess.min_seconds` in params.yaml if short tracks are wanted",
    "clipped": "find copies that are less distorted, or raise `preprocess.max_clipped`",
    "same recording": "remove the copies from data/sources.yaml; nothing is lost without them",
    "silent": "check that these files hold what you expect; with separation, that they are not "
    "without the stem in use",
    "damaged": "obtain these files again",
    "not decodable": "obtain these files again, or convert them to FLAC",
    "no ": "obtain these files again",
}


@dataclass(frozen=True)
class Problem:
    """One thing to worry about (`what`) and the way out (`remedy`), as plain text sentences.

    Only `what` has names from outside in it; in `remedy`, backticks mark commands and settings.
    """

    what: str
    remedy: str


def find_problems(facts: Facts) -> list[Problem]:
    """All problems of the data, those of the splits first."""
    return [*_splits(facts), *_balance(facts), *_rejected(facts), *_sound(facts)]


def _splits(facts: Facts) -> Iterator[Problem]:
    tracks = Counter(facts.labels)
    few = [label for label in sorted(tracks) if tracks[label] < _FEWEST]
    if few:
        yield Problem(
            f"Fewer than three tracks: {_some(few)}.",
            f"A label needs one track each to train, to validate and to test on: {_ADD}.",
        )
    present = set(zip(facts.labels, facts.splits, strict=True))
    for split in SPLITS:
        without = [
            label
            for label in sorted(tracks)
            if tracks[label] >= _FEWEST and (label, split) not in present
        ]
        if without:
            yield Problem(
                f"No {split} track: {_some(without)}.",
                f"The tracks that had this place were left out (see below): {_ADD}.",
            )


def _balance(facts: Facts) -> Iterator[Problem]:
    seconds = facts.seconds_per(facts.labels)
    if len(seconds) == 1:
        yield Problem(
            f"There is only one label: {_some(list(seconds))}.",
            "Style transfer needs two; put each style into a folder, or under a label, of its own.",
        )
    most, least = max(seconds, key=seconds.__getitem__), min(seconds, key=seconds.__getitem__)
    if seconds[most] >= _UNEVEN * seconds[least]:
        yield Problem(
            f"{_some([most])} has {seconds[most] / 60:.1f} minutes, {_some([least])} only "
            f"{seconds[least] / 60:.1f}.",
            f"Models will mostly learn the larger one: {_ADD}, or take less of the larger one "
            "(`max_entries`).",
        )


def _rejected(facts: Facts) -> Iterator[Problem]:
    count, total = len(facts.rejects), len(facts.rejects) + len(facts.tracks)
    if count > _REJECTED * total:
        kind, rows = next(iter(rejects_by_kind(facts).items()))
        remedies = [text for start, text in _REMEDIES.items() if kind.startswith(start)]
        remedy = remedies[0] if remedies else "see the reasons below"
        yield Problem(
            f"{count / total:.0%} of the tracks were left out, {len(rows):,} of {count:,} for "
            f"one reason: {_short(kind)}.",
            f"{remedy[0].upper()}{remedy[1:]}.",
        )


def _sound(facts: Facts) -> Iterator[Problem]:
    quiet = np.flatnonzero(facts.loudness_after < facts.target - _QUIET)
    if len(quiet):
        worst = float(facts.loudness_after[quiet].min())
        yield Problem(
            f"More than {_QUIET:g} LU below the target loudness of {facts.target:g} LUFS: "
            f"{_some([facts.tracks[i] for i in quiet])}.",
            "Their peaks allow no more. Listen for single clicks in them, or lower "
            f"`preprocess.loudness_lufs` towards {worst:.0f}, so that all tracks are equally loud.",
        )
    short = np.flatnonzero(facts.cut > _SHORTENED)
    if len(short) > _MANY_SHORTENED * len(facts.tracks):
        yield Problem(
            f"Trimming took more than half of: {_some([facts.tracks[i] for i in short])}.",
            "If that was music and not silence, lower `preprocess.silence_db` or "
            "`preprocess.noise_margin_db` in params.yaml.",
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(_short(name) for name in names[:_NAMED]) + more


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
