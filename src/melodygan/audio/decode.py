"""Audio files of any common kind into float32 samples; every failure is one short AudioError.

libsndfile decodes what it knows (wav, flac, ogg, opus, mp3, aiff, ...) and is the faster one;
PyAV, whose wheel brings FFmpeg's libraries, decodes the rest (m4a, aac, webm, wma, ...).
"""

import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError

Audio = NDArray[np.float32]
_BLOCK = 1 << 18  # samples read at once
_RATES = (4_000, 768_000)  # Hz; outside, the header is broken, and resampling would explode


class AudioError(UserError):
    """A file that is not usable audio.

    reason: why, in a few words without any path, as it is listed among the rejected tracks.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


def decode(
    path: Path,
    sample_rate: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> tuple[Audio, int]:
    """Decode a file, or its part from `start` to `end` seconds, as (samples, channels) and rate.

    sample_rate: Hz to resample to; None keeps the file's own rate.
    Raises AudioError when the file is missing, not a regular file, not audio, damaged, without
    samples in the part, or has samples that are not finite.
    """
    _require_regular(path)
    blocks, rate = _open(path, start or 0.0)
    if not _RATES[0] <= rate <= _RATES[1]:
        raise AudioError(path.name, f"sample rate of {rate} Hz")
    wanted = None if end is None else round((end - (start or 0.0)) * rate)
    audio = _collect(blocks, wanted)
    if not len(audio):
        raise AudioError(path.name, "no samples")
    if not np.isfinite(audio).all():
        raise AudioError(path.name, "samples that are not finite (NaN or infinity)")
    if sample_rate is None:
        return audio, rate
    audio = resample(audio, rate, sample_rate)
    if not len(audio):
        raise AudioError(path.name, "no samples")
    return audio, sample_rate


def resample(audio: Audio, rate: int, new_rate: int) -> Audio:
    """(samples,) or (samples, channels) at `rate` Hz to `new_rate` Hz, by soxr HQ.

    No droop up to 0.9 of the lower Nyquist frequency, aliases below -140 dB.
    """
    if rate == new_rate:
        return audio
    resampled: Audio = soxr.resample(audio, rate, new_rate, quality="HQ")
    return resampled


def probe(path: Path) -> float:
    """Duration of a file in seconds, from its header where that says it. Raises AudioError."""
    _require_regular(path)
    try:
        info = soundfile.info(str(path))
        if info.frames < 2**62:  # libsndfile's mark of an unknown length
            return float(info.frames / info.samplerate)
    except (soundfile.SoundFileError, TypeError):
        duration = _probe_av(path)
        if duration is not None:
            return duration
    audio, rate = decode(path)
    return len(audio) / rate


def to_mono(audio: Audio) -> Audio:
    """Mean of the channels: (samples, channels) -> (samples,)."""
    # einsum: a mean along so short an axis takes numpy five times as long
    return np.einsum("sc->s", audio) / np.float32(audio.shape[1])


def to_stereo(audio: Audio) -> Audio:
    """(samples, channels) -> (samples, 2); any number of channels but two is mixed to mono first.

    Files do not say reliably which of more than two channels is which.
    """
    if audio.shape[1] == 2:
        return audio
    return np.repeat(to_mono(audio)[:, None], 2, axis=1)


def _require_regular(path: Path) -> None:
    """Raise AudioError unless `path` is a regular file: opening a FIFO would block for ever."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise AudioError(path.name, str(error.strerror)) from None
    if not stat.S_ISREG(mode):
        raise AudioError(path.name, "not a regular file")


def _collect(blocks: Iterator[Audio], wanted: int | None) -> Audio:
    """Join blocks of (samples, channels), reading no more of them than `wanted` samples need."""
    parts: list[Audio] = []
    length = 0
    for block in blocks:
        parts.append(block)
        length += len(block)
        if wanted is not None and length >= wanted:
            break
    if not parts:
        return np.zeros((0, 1), np.float32)
    audio = np.ascontiguousarray(np.concatenate(parts))
    return audio if wanted is None else audio[: max(wanted, 0)]


def _open(path: Path, start: float) -> tuple[Iterator[Audio], int]:
    """Blocks from `start` seconds on, and the sample rate, from the first library that can."""
    try:
        # TypeError: a name in .raw makes soundfile ask for a format before it looks inside
        file = soundfile.SoundFile(str(path))
    except (soundfile.SoundFileError, TypeError):
        return _open_av(path, start)
    return _blocks_sf(file, path.name, start), file.samplerate


def _blocks_sf(file: soundfile.SoundFile, name: str, start: float) -> Iterator[Audio]:
    with file:
        try:
            if start:
                file.seek(min(round(start * file.samplerate), file.frames))
            # frame counts in headers may be unknown or false, so read until nothing comes
            while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
                yield block
        except soundfile.SoundFileError as error:
            raise AudioError(name, f"damaged ({_reason(error)})") from None


def _open_av(path: Path, start: float) -> tuple[Iterator[Audio], int]:
    import av  # loads FFmpeg's libraries: only for the files that need them

    blocks = _blocks_av(path)
    try:
        first, rate = next(blocks)
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(path.name, f"not decodable audio ({_reason(error)})") from None
    except StopIteration:
        raise AudioError(path.name, "no audio in it") from None

    def rest() -> Iterator[Audio]:
        skip = round(start * rate)
        block = first
        while True:
            yield block[skip:]
            skip = max(0, skip - len(block))
            try:
                block, _ = next(blocks)
            except StopIteration:
                return
            except (av.FFmpegError, ValueError) as error:
                raise AudioError(path.name, f"damaged ({_reason(error)})") from None

    return rest(), rate


def _blocks_av(path: Path) -> Iterator[tuple[Audio, int]]:
    """Blocks and sample rate of the first audio stream; ValueError when the rate changes in it."""
    import av

    # a playlist in disguise must not make FFmpeg fetch anything
    with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        if not container.streams.audio:
            return
        to_float = av.AudioResampler(format="fltp")
        for frame in container.decode(container.streams.audio[0]):
            for part in to_float.resample(frame):
                yield part.to_ndarray().T.astype(np.float32, copy=False), part.sample_rate


def _probe_av(path: Path) -> float | None:
    import av

    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.audio:
                raise AudioError(path.name, "no audio in it")
            return None if container.duration is None else container.duration / av.time_base
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(path.name, f"not decodable audio ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    """The library's own words, without the path that both libraries like to add."""
    words = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    return " ".join(words.split()).removeprefix("Error : ").strip(" .")
