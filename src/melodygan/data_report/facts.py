"""The index of data/clean as numbers: one element per accepted track, and the rejected ones."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.dataset.preprocess import PreprocessParams
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import read_json, read_rows

Row = dict[str, Any]
Floats = NDArray[np.float64]
DUPLICATE = "same recording as "  # how the reason of a rejected copy begins
_GATE = -70.0  # LUFS; BS.1770 measures nothing below
_ROUNDING = 0.05  # dB; the index has two decimals


@dataclass(frozen=True)
class Facts:
    """The first stem of every accepted track, by track id; arrays have shape (tracks,)."""

    stem: str
    sample_rate: int  # Hz
    target: float  # LUFS
    ceiling: float  # dBTP
    tracks: list[str]
    labels: list[str]
    splits: list[str]
    seconds: Floats
    seconds_before: Floats
    loudness_before: Floats  # LUFS; -70 where it is lower
    loudness_after: Floats
    gain: Floats  # dB
    rejects: list[Row]

    @property
    def cut(self) -> Floats:
        """Part of each track that trimming took away, 0 to 1."""
        return np.clip(1 - self.seconds / np.maximum(self.seconds_before, 1e-9), 0, 1)

    @property
    def held_back(self) -> NDArray[np.bool_]:
        """Which tracks the true-peak ceiling keeps below the target loudness."""
        return self.gain < self.target - self.loudness_before - _ROUNDING

    def seconds_per(self, keys: list[str]) -> Counter[str]:
        """Seconds of audio by `keys`, one for each track (such as `labels`)."""
        total: Counter[str] = Counter()
        for key, seconds in zip(keys, self.seconds.tolist(), strict=True):
            total[key] += seconds
        return total


def read_facts(clean: Path, params: PreprocessParams) -> Facts:
    """Read index.jsonl and meta.json of data/clean (`clean`), made with `params`.

    Raises UserError when there is no accepted track.
    """
    meta, rows = read_json(clean / "meta.json"), read_rows(clean / "index.jsonl")
    stem, rate = meta["stems"][0], meta["sample_rate"]
    accepted = [row for row in rows if row.get("stem") == stem]
    if not accepted:
        raise UserError(f"{clean} has no accepted track: run `dvc repro preprocess`")

    def column(key: str) -> Floats:
        return np.array([row[key] for row in accepted], np.float64)

    def loudness(key: str) -> Floats:
        return np.nan_to_num(column(key), nan=_GATE)  # null in the index

    return Facts(
        stem=stem,
        sample_rate=rate,
        target=params.loudness_lufs,
        ceiling=params.true_peak_db,
        tracks=[row["track"] for row in accepted],
        labels=[row["label"] for row in accepted],
        splits=[row["split"] for row in accepted],
        seconds=column("samples") / rate,
        seconds_before=column("seconds_before"),
        loudness_before=loudness("loudness_before_lufs"),
        loudness_after=loudness("loudness_after_lufs"),
        gain=column("gain_db"),
        rejects=[row for row in rows if "rejected" in row],
    )


def kind_of(reason: str) -> str:
    """A reason without what differs from track to track: numbers in brackets, another's name."""
    if reason.startswith(DUPLICATE):
        return DUPLICATE + "another track"
    return reason.split(" (")[0]


def rejects_by_kind(facts: Facts) -> dict[str, list[Row]]:
    """The rejected tracks grouped by `kind_of` their reason, the most frequent kind first."""
    kinds: dict[str, list[Row]] = {}
    for row in facts.rejects:
        kinds.setdefault(kind_of(row["rejected"]), []).append(row)
    return dict(sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])))
