"""One track into 16-bit stems, block by block: hours of audio need no more memory than minutes.

The track is decoded into a scratch file, from which the model gets pieces of it; its vocals go
into a second one. Only then is the loudest sample of all stems known, and with it the gain that
keeps them from clipping, so a last pass writes the FLACs. This module is apart from
`stage_work` so that an edit there does not cost the separation of every track again.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.clipping import ClippingMeter
from melodygan.audio.decode import AudioError, open_audio, resampled, to_stereo
from melodygan.audio.phase import polarity
from melodygan.audio.pieces import Float
from melodygan.pipeline.files import sha256_file, write_json
from melodygan.separation.scratch import StereoScratch
from melodygan.separation.separate import SAMPLE_RATE, StemSeparator

FULL_SCALE = 32768  # of 16 bit
RESULT = "result.json"
_SHORT = 0.5  # s, beside a fiftieth of what a header announces: less is no missing part


def separate_file(
    folder: Path, file: str, start: float | None, end: float | None, model: str | None
) -> None:
    """Write the stems of one file as FLAC into `folder`, or why it cannot be decoded.

    start, end: the part to take, s. model: None writes the mix only. `result.json` has each
    stem's SHA-256, the fraction of clipped samples, and `short` ({`announced`, `found`}, s) where
    much of what the file's header announces is not there. Needs disk space for the track's samples
    as floats (353 kB a second) once, with a model twice, while it works. Raises UserError when the
    model cannot be used.
    """
    with StereoScratch(folder) as mix, StereoScratch(folder) as vocals:
        try:
            facts = _decode(Path(file), start, end, mix)
        except AudioError as error:
            write_rejected(folder, error.reason)
            return
        if model is not None:
            for block in _separator(model).vocals(mix.read, mix.samples):
                vocals.append(block)
        hashes = _write_stems(folder, mix, None if model is None else vocals)
    write_json(folder / RESULT, facts | {"sha256": hashes})


def write_rejected(folder: Path, reason: str) -> None:
    """The result of a track that cannot be used, and why."""
    write_json(folder / RESULT, {"rejected": reason})


@lru_cache(maxsize=1)
def _separator(model: str) -> StemSeparator:
    return StemSeparator(model)


def _decode(
    file: Path, start: float | None, end: float | None, mix: StereoScratch
) -> dict[str, Any]:
    """Fill `mix` from the file; returns what result.json says of it."""
    signs = polarity(open_audio(file, start, end).blocks)
    stream = open_audio(file, start, end)
    meter = ClippingMeter(stream.exact)

    def metered() -> Iterator[Float]:
        for block in stream.blocks:
            meter.add(block)  # resampling would hide the flat tops
            yield block * signs

    for block in resampled(metered(), stream.rate, SAMPLE_RATE):
        mix.append(to_stereo(block))
    if not mix.samples:
        raise AudioError(file.name, "no samples")
    facts: dict[str, Any] = {"clipped": meter.fraction}
    found, announced = mix.samples / SAMPLE_RATE, stream.seconds or 0.0
    if start is None and end is None and found + _SHORT < 0.98 * announced:
        facts["short"] = {"announced": round(announced, 1), "found": round(found, 1)}
    return facts


def _write_stems(folder: Path, mix: StereoScratch, vocals: StereoScratch | None) -> dict[str, str]:
    """Write the FLACs; returns their SHA-256 by stem."""

    def blocks() -> Iterator[dict[str, Float]]:
        if vocals is None:
            yield from ({"mix": block} for block in mix.blocks())
        else:
            for whole, sung in zip(mix.blocks(), vocals.blocks(), strict=True):
                yield {"vocals": sung, "instrumental": whole - sung}

    gain = headroom(max(map(peak, blocks())))
    names = ("mix",) if vocals is None else ("vocals", "instrumental")
    with ExitStack() as stack:
        files = {
            stem: stack.enter_context(
                soundfile.SoundFile(
                    folder / f"{stem}.flac", "w", SAMPLE_RATE, channels=2, subtype="PCM_16"
                )
            )
            for stem in names
        }
        for stems in blocks():
            for stem, samples in quantise(stems, gain).items():
                files[stem].write(samples)
    return {stem: sha256_file(folder / f"{stem}.flac") for stem in names}


def peak(stems: dict[str, Float]) -> float:
    """The largest absolute sample of the stems and of their sum."""
    mix = np.sum(list(stems.values()), axis=0)
    return max(float(np.abs(samples).max()) for samples in (mix, *stems.values()))


def headroom(loudest: float) -> float:
    """16-bit units per 1.0, such that samples up to `loudest` do not clip, and none get louder."""
    # the last stem is a difference of rounded numbers: it needs room for one unit more
    return FULL_SCALE * min(1.0, (FULL_SCALE - 2) / FULL_SCALE / max(loudest, 1e-9))


def quantise(stems: dict[str, Float], gain: float) -> dict[str, NDArray[np.int16]]:
    """Stems times `gain` (see `headroom`) as integers that sum to the 16-bit mix exactly."""
    total = np.rint(np.sum(list(stems.values()), axis=0) * gain).astype(np.int32)
    *first, last = stems
    rounded = {stem: np.rint(stems[stem] * gain).astype(np.int32) for stem in first}
    rounded[last] = total - sum(rounded.values())
    return {stem: samples.astype(np.int16) for stem, samples in rounded.items()}
