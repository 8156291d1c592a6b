"""Tells when a track has changed sides between training, test and validation.

What is remembered changes messages only, no result: it lies beside the side caches.
"""

import json
from collections.abc import Mapping

from melodygan.pipeline.files import write_json
from melodygan.pipeline.runtime import cache_root

_SHOWN = 3


def tell_moves(splits: Mapping[str, str]) -> None:
    """Print which tracks were in another split the last time here; remember the new ones.

    Tracks that are not there now are remembered too: they may come back.
    """
    path = cache_root() / "splits.json"
    try:
        before = json.loads(path.read_text("utf-8"))
        before = before if isinstance(before, dict) else {}
    except (OSError, ValueError, RecursionError):
        before = {}  # none yet, or damaged: there is nothing to compare with
    moved = [track for track, split in splits.items() if before.get(track, split) != split]
    for track in moved[:_SHOWN]:
        line = f"track {track} was in {before[track]} and is now in {splits[track]}"
        print(f"preprocess: {line}: models made before have seen it there")
    if len(moved) > _SHOWN:
        print(f"preprocess: {len(moved) - _SHOWN} more tracks have changed sides")
    write_json(path, before | dict(splits))
