"""One track from its stems to clean 16-bit samples, or to the reason why it is not usable.

Everything is streamed: the stems are decoded once into scratch files; the levels measured on the
way tell what to cut; one pass over what is kept measures loudness and peak, and another writes it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.decode import Audio, AudioError, AudioStream, Extent, open_audio
from melodygan.audio.fingerprint import Fingerprinter
from melodygan.audio.loudness import LoudnessMeter, TruePeakMeter, normalising_gain
from melodygan.audio.noise import noise_free_span
from melodygan.audio.pcm import to_int16
from melodygan.audio.silence import Cut, Mono, block_size, kept_blocks, silence_cuts
from melodygan.dataset.npy import NpyWriter
from melodygan.dataset.recordings import PRINT
from melodygan.dataset.scratch import Scratch
from melodygan.pipeline.files import write_json

RESULT = "result.json"
_BLOCK = 1 << 16  # samples read at once from a scratch file
_SILENT = 1e-4  # peak below -80 dB of full scale: nothing but dither


@dataclass(frozen=True)
class CleanSettings:
    """The part of params group `preprocess` that one track's result depends on."""

    min_seconds: float
    silence_db: float
    silence_gap: float  # s
    noise_margin_db: float
    loudness_lufs: float
    true_peak_db: float
    max_clipped: float  # fraction
    sample_rate: int  # Hz


@dataclass(frozen=True)
class _Span:
    """What stays of a track: the samples from `start` to `stop` without `cuts`."""

    start: int
    stop: int
    cuts: list[Cut]

    @property
    def samples(self) -> int:
        return self.stop - self.start - sum(after - first for first, after in self.cuts)

    def blocks(self, stem: Scratch, rate: int) -> Iterator[Mono]:
        return kept_blocks(stem.read, self.start, self.stop, self.cuts, rate, _BLOCK)


def clean_track(
    folder: Path,
    files: Mapping[str, Extent],
    stems: Mapping[str, str],
    clipped: float,
    settings: CleanSettings,
) -> None:
    """Write `result.json` and, for a usable track, its fingerprint and samples.

    Those are print.npy and one `<stem>.npy` (int16, mono) per stem.

    files: all stem files of the track. stems: which of them (or `mix`, their sum) makes each
    stem of the result; the first decides on cuts and gain, so that all stems stay aligned.
    clipped: fraction of the mix's samples. result.json is {"rejected": reason} or {stem: its
    columns of the index}. Needs disk space in `folder` for the samples of long tracks.
    """
    if clipped > settings.max_clipped:
        write_rejected(folder, f"clipped ({clipped:.0%} of the samples)")
        return
    try:
        with ExitStack() as stack:
            tracks = _load(folder, files, stems, settings.sample_rate, stack)
            result = _clean(folder, tracks, settings)
    except AudioError as error:
        write_rejected(folder, error.reason)
        return
    if "rejected" not in result:
        result = {stem: row | {"clipped": round(clipped, 6)} for stem, row in result.items()}
    write_json(folder / RESULT, result)


def write_rejected(folder: Path, reason: str) -> None:
    """Write the result of a track that is not usable."""
    write_json(folder / RESULT, {"rejected": reason})


def _load(
    folder: Path,
    files: Mapping[str, Extent],
    stems: Mapping[str, str],
    sample_rate: int,
    stack: ExitStack,
) -> dict[str, Scratch]:
    """Each stem at `sample_rate`, from one pass over the files that are needed."""
    summed = "mix" in stems.values() and "mix" not in files
    needed = sorted(files) if summed else sorted(set(stems.values()))
    streams = {name: open_audio(files[name]) for name in needed}
    if len({stream.rate for stream in streams.values()}) > 1:
        raise _uneven(files)
    rate = next(iter(streams.values())).rate
    tracks = {stem: stack.enter_context(Scratch(folder, rate, sample_rate)) for stem in stems}
    for parts in _together(streams):
        if summed:
            parts["mix"] = np.sum(list(parts.values()), axis=0, dtype=np.float32)
        for stem, name in stems.items():
            tracks[stem].add(parts[name])
    for track in tracks.values():
        track.finish()
    return tracks


def _together(streams: Mapping[str, AudioStream]) -> Iterator[dict[str, Audio]]:
    """The blocks of several files side by side; AudioError when they differ in shape or number."""
    for blocks in zip_longest(*(stream.blocks for stream in streams.values())):
        if len({None if block is None else block.shape for block in blocks}) > 1:
            raise _uneven(streams)
        yield dict(zip(streams, blocks, strict=True))


def _uneven(names: Mapping[str, object]) -> AudioError:
    return AudioError(", ".join(names), "stems of unequal length or format")


def _clean(folder: Path, tracks: dict[str, Scratch], settings: CleanSettings) -> dict[str, Any]:
    """Check, trim and normalise the stems; write their samples; return the result."""
    rate, first = settings.sample_rate, next(iter(tracks.values()))
    before = first.samples / rate
    if first.peak < _SILENT:
        return {"rejected": "silent"}
    span = _trim(first, settings)
    if span.samples / rate < settings.min_seconds:
        limit = f"shorter than {settings.min_seconds:g} s after trimming"
        return {"rejected": f"{limit} ({span.samples / rate:.1f} s of {before:.1f} s)"}
    meters = {stem: LoudnessMeter(rate) for stem in tracks}
    peak = max(_measure(span.blocks(tracks[stem], rate), meters[stem], rate) for stem in tracks)
    loudness = next(iter(meters.values())).loudness()
    if not np.isfinite(loudness):
        return {"rejected": "silent (below -70 LUFS)"}
    gain = normalising_gain(loudness, peak, settings.loudness_lufs, settings.true_peak_db)
    np.save(folder / PRINT, _fingerprint(first, rate))
    result = {}
    for stem, track in tracks.items():
        blocks = span.blocks(track, rate)
        result[stem] = {
            "gain_db": round(20 * np.log10(gain), 2),
            "loudness_after_lufs": _rounded(meters[stem].loudness(gain)),
            "loudness_before_lufs": _rounded(meters[stem].loudness()),
            "samples": span.samples,
            "seconds_before": round(before, 3),
            "sha256": write_samples(folder / f"{stem}.npy", blocks, span.samples, gain),
        }
    return result


def _trim(first: Scratch, settings: CleanSettings) -> _Span:
    """What is left without the first stem's noise at head and tail and its long silences."""
    rate, size = settings.sample_rate, block_size(settings.sample_rate)
    levels = first.meter.levels()
    start, stop = noise_free_span(first.read, levels, first.samples, rate, settings.noise_margin_db)
    inner = levels[start // size : -(-stop // size)]
    cuts = silence_cuts(inner, stop - start, rate, settings.silence_db, settings.silence_gap)
    return _Span(start, stop, [(start + out, start + back) for out, back in cuts])


def _fingerprint(first: Scratch, rate: int) -> NDArray[np.uint32]:
    """Of the untrimmed first stem: another encoding may be trimmed a little differently."""
    printer = Fingerprinter(rate)
    for start in range(0, first.samples, _BLOCK):
        printer.add(first.read(start, min(start + _BLOCK, first.samples)))
    return printer.result()


def _measure(blocks: Iterator[Mono], loudness: LoudnessMeter, rate: int) -> float:
    """Let the meter hear all blocks; return their true peak (linear)."""
    peak = TruePeakMeter(rate)
    for block in blocks:
        loudness.add(block)
        peak.add(block)
    return peak.finish()


def write_samples(path: Path, blocks: Iterator[Mono], samples: int, gain: float) -> str:
    """Write `samples` mono samples times `gain` (linear) as int16; return their SHA-256."""
    sha256 = hashlib.sha256()
    with NpyWriter(path, (samples,), np.int16) as file:
        for block in blocks:
            rounded = to_int16(block * np.float32(gain))
            sha256.update(rounded.data)
            file.append(rounded)
    return sha256.hexdigest()


def _rounded(lufs: float) -> float | None:
    """Loudness for the index; None for a stem that is silent where the first one sounds."""
    return round(lufs, 2) if np.isfinite(lufs) else None
