"""Which tracks are for training: a function of a track's place within its label, and nothing else.

So no track ever changes sides when others come or go, and a test set stays a test set.
"""

from collections.abc import Iterator
from functools import lru_cache

SPLITS = ("train", "test", "validation")  # the first three ordinals; also the order on ties


def split_of(ordinal: int, validation: float, test: float) -> str:
    """The split, train | validation | test, of a label's track number `ordinal` (0, 1, ...).

    validation, test: fractions of the label's tracks. The first three tracks are train, test and
    validation, so that a label of three has all; each later one goes to the split that is
    furthest below its fraction of (ordinal + 1).
    """
    known, rest = _sequence(validation, test)
    while len(known) <= ordinal:
        known.append(next(rest))
    return known[ordinal]


@lru_cache(maxsize=8)
def _sequence(validation: float, test: float) -> tuple[list[str], Iterator[str]]:
    """The splits known so far, and those to come."""
    return [], _splits({"train": 1 - validation - test, "test": test, "validation": validation})


def _splits(fractions: dict[str, float]) -> Iterator[str]:
    counts = dict.fromkeys(SPLITS, 0)
    for split in SPLITS:
        counts[split] += 1
        yield split
    while True:
        total = sum(counts.values()) + 1
        split = max(SPLITS, key=lambda name: fractions[name] * total - counts[name])
        counts[split] += 1
        yield split
