"""The true stems of the demo's tracks: separation only estimates them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.pipeline.files import as_written

Float = NDArray[np.float32]


def true_stem(
    folder: Path, row: dict[str, Any], mix: Float, stem: str, sample_rate: int
) -> Float | None:
    """The true instrumental or vocals of a clean track, as long as its mix; None if not known.

    folder: data/raw/truth. row: the mix's line of the index of data/clean; mix: its sound
    (samples,). What preprocess has cut something out of is not known either, since nobody wrote
    down where.
    """
    file = folder / f"{row['track']}.vocals.flac"
    if not file.is_file():
        return None
    from melodygan.audio.decode import decode, to_mono  # a GPU machine may be without them

    with as_written(Path("data/clean/index.jsonl")):
        gain = np.float32(10 ** (row["gain_db"] / 20))
    vocals = to_mono(decode(file, sample_rate)[0]) * gain
    if len(vocals) != len(mix):
        return None
    return vocals if stem == "vocals" else mix - vocals
