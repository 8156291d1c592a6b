"""Which tracks are for training: a function of a track's place within its label.

So no track changes sides when others come, and a test set stays a test set. Only the first three
usable tracks of a label, which have all three splits between them, also depend on each other.
"""

from collections.abc import Iterator, Mapping
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


def splits_of(ordinals: Mapping[str, int], validation: float, test: float) -> dict[str, str]:
    """The split of each usable track of one label, by track; ordinals: by track.

    Each has that of its ordinal; but of the first three, one whose split an earlier one has
    already takes the first that is free. So three tracks have all splits, whatever numbers
    rejected, removed or copied ones have used up; and what comes later moves none of them.
    """
    first, splits = [*SPLITS], {}
    for track in sorted(ordinals, key=lambda track: (ordinals[track], track)):
        split = split_of(ordinals[track], validation, test)
        if first:
            split = split if split in first else first[0]
            first.remove(split)
        splits[track] = split
    return splits


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
