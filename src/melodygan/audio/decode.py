"""Audio files of any common kind into float32 samples; every failure is one short AudioError.

libsndfile decodes what it knows (wav, flac, ogg, opus, mp3, aiff, ...) and is the faster one;
FFmpeg decodes the rest. All goes in blocks, so that a file of hours needs no more memory than a
short one; `decode` joins them for those who want it whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from melodygan.audio.source import AudioError, Extent

__all__ = [
    "Audio", "AudioError", "AudioStream", "Extent", "Resampler",
    "decode", "open_audio", "probe", "resample", "resampled", "to_mono", "to_stereo",
]  # fmt: skip

Audio = NDArray[np.float32]
_BLOCK = 1 << 18  # samples of all channels together that are read at once
_RATES = (4_000, 768_000)  # Hz; outside, the header is broken, and resampling would explode
_CHANNELS = 64  # more are a broken header too
_LONGEST = 24 * 3600.0  # s; some kB of FLAC can hold years of silence
_UNKNOWN = 2**62  # samples; libsndfile says at least so many where the header gives no length


@dataclass(frozen=True)
class AudioStream:
    """An audio file being decoded: its sample rate in Hz, and its (n, channels) blocks in turn."""

    rate: int
    blocks: Iterator[Audio]


def open_audio(
    source: Path | Extent, start: float | None = None, end: float | None = None
) -> AudioStream:
    """Decode a file, or its part from `start` to `end` seconds, block by block.

    Raises AudioError when the file is missing, not a regular file or not audio; and on the way
    through the blocks when it is damaged, without samples in the part, or not finite. Blocks have
    from 1 to 2**18 samples.
    """
    extent = Extent(source) if isinstance(source, Path) else source
    blocks, rate = _open(extent, start or 0.0)
    if not _RATES[0] <= rate <= _RATES[1]:
        raise AudioError(extent.path.name, f"sample rate of {rate} Hz")
    wanted = None if end is None else round((end - (start or 0.0)) * rate)
    longest = round(_LONGEST * rate)
    return AudioStream(rate, _checked(blocks, extent.path.name, wanted, longest))


def decode(
    source: Path | Extent,
    sample_rate: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> tuple[Audio, int]:
    """All that `open_audio` gives in one array (samples, channels), and its rate in Hz.

    sample_rate: Hz to resample to; None keeps the file's own rate. Raises AudioError.
    """
    stream = open_audio(source, start, end)
    rate = sample_rate or stream.rate
    parts = list(resampled(stream.blocks, stream.rate, rate))
    if not parts:
        name = source.name if isinstance(source, Path) else source.path.name
        raise AudioError(name, "no samples")
    return np.concatenate(parts), rate


class Resampler:
    """One signal from `rate` to `new_rate` Hz by soxr HQ, block by block, however it is cut.

    No droop up to 0.9 of the lower Nyquist frequency, aliases below -140 dB.
    """

    def __init__(self, rate: int, new_rate: int) -> None:
        self._rates = rate, new_rate
        self._stream: soxr.ResampleStream | None = None
        self._nothing: Audio = np.zeros(0, np.float32)

    def add(self, block: Audio) -> Audio:
        """What is ready of the signal after its next samples (n,) or (n, channels)."""
        if self._rates[0] == self._rates[1]:
            return block
        if self._stream is None:
            channels = 1 if block.ndim == 1 else block.shape[1]
            self._stream = soxr.ResampleStream(
                *self._rates, channels, dtype="float32", quality="HQ"
            )
            self._nothing = block[:0]
        ready: Audio = self._stream.resample_chunk(block)
        return ready

    def finish(self) -> Audio:
        """The rest; nothing can be added after it."""
        if self._stream is None:
            return self._nothing
        rest: Audio = self._stream.resample_chunk(self._nothing, last=True)
        return rest


def resampled(blocks: Iterable[Audio], rate: int, new_rate: int) -> Iterator[Audio]:
    """Blocks of (n,) or (n, channels) as a Resampler gives them; none is empty."""
    resampler = Resampler(rate, new_rate)
    for block in blocks:
        if len(ready := resampler.add(block)):
            yield ready
    if len(rest := resampler.finish()):
        yield rest


def resample(audio: Audio, rate: int, new_rate: int) -> Audio:
    """(samples,) or (samples, channels) at `rate` Hz to `new_rate` Hz, as `resampled` does it."""
    return np.concatenate([audio[:0], *resampled([audio], rate, new_rate)])


def probe(path: Path) -> float:
    """Duration of a file in seconds, from its header where that says it. Raises AudioError."""
    with Extent(path).open() as file:
        try:
            info = soundfile.info(str(path))
            seconds = info.frames / info.samplerate
            if info.frames < _UNKNOWN:
                return float(seconds)
        except (soundfile.SoundFileError, TypeError):
            from melodygan.audio import ffmpeg

            try:
                duration = ffmpeg.duration(file)
            except ffmpeg.ERRORS as error:
                raise AudioError(path.name, f"not decodable audio ({_reason(error)})") from None
            if duration is not None:
                return duration
    stream = open_audio(path)
    return sum(len(block) for block in stream.blocks) / stream.rate


def to_mono(audio: Audio) -> Audio:
    """Mean of the channels: (samples, channels) -> (samples,)."""
    # channel by channel: a mean along so short an axis takes numpy many times as long
    total = audio[:, 0].copy()
    for channel in range(1, audio.shape[1]):
        total += audio[:, channel]
    return total / np.float32(audio.shape[1])


def to_stereo(audio: Audio) -> Audio:
    """(samples, channels) -> (samples, 2); any number of channels but two is mixed to mono first.

    Files do not say reliably which of more than two channels is which.
    """
    if audio.shape[1] == 2:
        return audio
    return np.repeat(to_mono(audio)[:, None], 2, axis=1)


def _checked(
    blocks: Iterator[Audio], name: str, wanted: int | None, longest: int
) -> Iterator[Audio]:
    """Blocks cut to size, none empty, `wanted` samples of them at most, and all sound."""
    length = 0
    for whole in blocks:
        if whole.shape[1] > _CHANNELS:
            raise AudioError(name, f"{whole.shape[1]} channels")
        for at in range(0, len(whole), _BLOCK):
            block = whole[at : at + _BLOCK]
            block = block if wanted is None else block[: max(0, wanted - length)]
            if not len(block):
                break
            if not np.isfinite(block).all():
                raise AudioError(name, "samples that are not finite (NaN or infinity)")
            length += len(block)
            if length > longest:
                raise AudioError(name, f"longer than {_LONGEST / 3600:g} hours")
            yield block
        if wanted is not None and length >= wanted:
            break
    if not length:
        raise AudioError(name, "no samples")


def _open(extent: Extent, start: float) -> tuple[Iterator[Audio], int]:
    """Blocks from `start` seconds on, and the sample rate, from the first library that can."""
    file = extent.open()
    try:
        # TypeError: a name in .raw makes soundfile ask for a format before it looks inside
        sound = soundfile.SoundFile(file)
    except (soundfile.SoundFileError, TypeError):
        sound = None
    # soundfile seeks after each block, which fails in a FLAC that does not say its length
    if sound is None or sound.frames >= _UNKNOWN:
        file.seek(0)
        try:
            return _open_av(file, extent.path.name, start)
        except AudioError:
            file.close()
            raise
    return _blocks_sf(sound, file, extent.path.name, start), sound.samplerate


def _blocks_sf(
    sound: soundfile.SoundFile, file: BinaryIO, name: str, start: float
) -> Iterator[Audio]:
    with file, sound:
        size = max(1, _BLOCK // sound.channels)
        try:
            if start:
                sound.seek(min(round(start * sound.samplerate), sound.frames))
            # frame counts in headers may be unknown or false, so read until nothing comes
            while len(block := sound.read(size, dtype="float32", always_2d=True)):
                yield block
        except soundfile.SoundFileError as error:
            raise AudioError(name, f"damaged ({_reason(error)})") from None


def _open_av(file: BinaryIO, name: str, start: float) -> tuple[Iterator[Audio], int]:
    from melodygan.audio import ffmpeg  # only for the files that need it: it loads slowly

    blocks = ffmpeg.blocks(file)
    try:
        first, rate = next(blocks)
    except ffmpeg.ERRORS as error:
        raise AudioError(name, f"not decodable audio ({_reason(error)})") from None
    except StopIteration:
        raise AudioError(name, "no audio in it") from None

    def rest() -> Iterator[Audio]:
        skip = round(start * rate)
        with file:
            try:
                for block, _ in chain([(first, rate)], blocks):
                    yield block[skip:]
                    skip = max(0, skip - len(block))
            except ffmpeg.ERRORS as error:
                raise AudioError(name, f"damaged ({_reason(error)})") from None

    return rest(), rate


def _reason(error: Exception) -> str:
    """The library's own words, without the path that both libraries like to add."""
    words = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    return " ".join(words.split()).removeprefix("Error : ").strip(" .")
