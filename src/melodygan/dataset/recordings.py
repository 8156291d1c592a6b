"""Tracks that are one recording under several names or encodings: only one of them is used.

Else the same music could be in training and in test, and the scores would be those of a memory.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from melodygan.dataset.duplicates import duplicate_groups

PRINT = "print.npy"
SAME = "same recording as "  # how the reason for leaving a track out begins
Row = dict[str, Any]


def same_recordings(rows: Sequence[Row], folders: Mapping[str, Path]) -> dict[str, str]:
    """By track that is to be left out, the track that stands for its recording.

    rows: of data/stems, of usable tracks. folders: by track, each with its fingerprint. The track
    with the lowest ordinal stays: within a label, later arrivals do not push out what one has
    trained on. Between labels nobody knows which came first.
    """
    prints = [np.load(folders[row["track"]] / PRINT) for row in rows]
    left_out: dict[str, str] = {}
    for group in duplicate_groups(prints):
        first, *others = sorted((rows[i]["ordinal"], rows[i]["track"]) for i in group)
        left_out |= {track: first[1] for _, track in others}
    return left_out
