"""Other tracks to learn from and to judge by, in a checkout whose features are made.

    python benchmarks/recut.py CHECKOUT [--seconds 30] [--train N --pick SEED]

Rewrites data/features/index.jsonl, so that stages can be measured on few recordings. Each held-out
track becomes tracks of about so many seconds, all of one song on the same side as before: scores
then have an interval, which says how far pieces of these songs differ and nothing of other songs.
--train: of each label only N training tracks stay, drawn at random. Then run a stage by itself
(`dvc repro -s STAGE`); `dvc checkout data/features` brings the index back.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from melodygan.audio.mel import MelConfig
from melodygan.pipeline.files import read_rows, write_rows
from melodygan.pipeline.params import load

Row = dict[str, Any]


def pieces(row: Row, wanted: int) -> list[Row]:
    """The row of a track as rows of its pieces, about `wanted` frames each and nothing left over.

    Without the place of its pooled vectors: training stages make those from the log-mel.
    """
    count = max(1, round(row["frames"] / wanted))
    edges = [row["frames"] * index // count for index in range(count + 1)]
    kept = {key: value for key, value in row.items() if not key.startswith("pooled_")}
    return [
        kept | {"track": f"{row['track']}-{index}", "start": row["start"] + at, "frames": end - at}
        for index, (at, end) in enumerate(pairwise(edges))
    ]


def drawn(rows: list[Row], count: int, seed: int) -> set[str]:
    """The tracks of `count` of each label's training tracks, or all where there are no more."""
    tracks: dict[str, list[str]] = {}
    for row in rows:
        if row["split"] == "train" and row["track"] not in tracks.setdefault(row["label"], []):
            tracks[row["label"]].append(row["track"])
    rng = np.random.default_rng(seed)
    return {track for of in tracks.values() for track in rng.permutation(of)[:count].tolist()}


def main() -> None:
    """Rewrite the index and say what it holds now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--train", type=int)
    parser.add_argument("--pick", type=int, default=0)
    wanted = parser.parse_args()
    index = wanted.checkout / "data/features/index.jsonl"
    rows = read_rows(index)
    if wanted.train:
        kept = drawn(rows, wanted.train, wanted.pick)
        rows = [row for row in rows if row["split"] != "train" or row["track"] in kept]
    if wanted.seconds:
        audio = load(MelConfig, "audio", wanted.checkout / "params.yaml")
        frames = round(wanted.seconds * audio.frame_rate)
        cut = (pieces(row, frames) if row["split"] != "train" else [row] for row in rows)
        rows = [row for of in cut for row in of]
    write_rows(index, rows)
    for label in sorted({row["label"] for row in rows}):
        counts = {
            split: len({r["track"] for r in rows if (r["label"], r["split"]) == (label, split)})
            for split in ("train", "validation", "test")
        }
        print(label, counts)


if __name__ == "__main__":
    main()
