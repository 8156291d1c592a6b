"""One track from its stems to clean 16-bit samples, or to the reason why it is not usable."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.clipping import clipped_fraction
from melodygan.audio.decode import Audio, AudioError, decode, resample, to_mono
from melodygan.audio.loudness import integrated_loudness, normalising_gain, true_peak
from melodygan.audio.noise import noise_free_span
from melodygan.audio.pcm import from_int16, to_int16
from melodygan.audio.silence import apply_cuts, silence_cuts
from melodygan.pipeline.files import write_json

Mono = NDArray[np.float32]
RESULT = "result.json"
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


def clean_track(
    folder: Path, files: dict[str, Path], stems: dict[str, str], settings: CleanSettings
) -> None:
    """Write `result.json` and, for a usable track, one `<stem>.npy` (int16, mono) per stem.

    files: all stem files of the track. stems: which of them (or `mix`, their sum) makes each
    stem of the result; the first decides on cuts and gain, so that all stems stay aligned.
    result.json is {"rejected": reason} or {stem: its columns of the index}.
    """
    try:
        audio, clipped = _load(files, stems, settings.sample_rate)
        result = _clean(folder, audio, settings, clipped)
    except AudioError as error:
        result = {"rejected": error.reason}
    write_json(folder / RESULT, result)


def _load(
    files: dict[str, Path], stems: dict[str, str], sample_rate: int
) -> tuple[dict[str, Mono], float]:
    """Each stem as (samples,) at `sample_rate`, and the clipped fraction of their mix.

    Clipping shows in the mix alone: separation spreads a flattened wave over the stems.
    """
    parts: dict[str, Audio] = {}
    rates = set()
    for name, path in files.items():
        parts[name], rate = decode(path)
        rates.add(rate)
    if len(rates) > 1 or len({part.shape for part in parts.values()}) > 1:
        raise AudioError(", ".join(files), "stems of unequal length or format")
    if "mix" not in parts:
        parts["mix"] = np.sum(list(parts.values()), axis=0, dtype=np.float32)
    mono = {s: resample(to_mono(parts[name]), rate, sample_rate) for s, name in stems.items()}
    return mono, clipped_fraction(parts["mix"])


def _clean(
    folder: Path, audio: dict[str, Mono], settings: CleanSettings, clipped: float
) -> dict[str, Any]:
    """Check, trim and normalise the stems; write their samples; return the result."""
    rate = settings.sample_rate
    before = len(_first(audio)) / rate
    if np.abs(_first(audio)).max() < _SILENT:
        return {"rejected": "silent"}
    if clipped > settings.max_clipped:
        return {"rejected": f"clipped ({clipped:.0%} of the samples)"}
    audio = _trim(audio, settings)
    after = len(_first(audio)) / rate
    if after < settings.min_seconds:
        limit = f"shorter than {settings.min_seconds:g} s after trimming"
        return {"rejected": f"{limit} ({after:.1f} s of {before:.1f} s)"}
    loudness = [integrated_loudness(samples, rate) for samples in audio.values()]
    if not np.isfinite(loudness[0]):
        return {"rejected": "silent (below -70 LUFS)"}
    peak = max(true_peak(samples, rate) for samples in audio.values())
    gain = normalising_gain(loudness[0], peak, settings.loudness_lufs, settings.true_peak_db)
    result = {}
    for (stem, samples), lufs in zip(audio.items(), loudness, strict=True):
        result[stem] = _write(folder / f"{stem}.npy", samples, gain, rate) | {
            "clipped": round(clipped, 6),
            "gain_db": round(20 * np.log10(gain), 2),
            "loudness_before_lufs": _rounded(lufs),
            "seconds_before": round(before, 3),
        }
    return result


def _first(audio: dict[str, Mono]) -> Mono:
    return next(iter(audio.values()))


def _trim(audio: dict[str, Mono], settings: CleanSettings) -> dict[str, Mono]:
    """Take the first stem's noise at head and tail, and its long silences, out of all stems."""
    rate = settings.sample_rate
    start, end = noise_free_span(_first(audio), rate, settings.noise_margin_db)
    audio = {stem: samples[start:end] for stem, samples in audio.items()}
    cuts = silence_cuts(_first(audio), rate, settings.silence_db, settings.silence_gap)
    return {stem: apply_cuts(samples, cuts, rate) for stem, samples in audio.items()}


def _write(path: Path, audio: Mono, gain: float, rate: int) -> dict[str, Any]:
    """Write one stem with `gain` (linear) applied; return what the index says of the result."""
    samples = to_int16(audio * np.float32(gain))
    np.save(path, samples)
    return {
        "samples": len(samples),
        "sha256": hashlib.sha256(samples.tobytes()).hexdigest(),
        "loudness_after_lufs": _rounded(integrated_loudness(from_int16(samples), rate)),
    }


def _rounded(lufs: float) -> float | None:
    """Loudness for the index; None for a stem that is silent where the first one sounds."""
    return round(lufs, 2) if np.isfinite(lufs) else None
