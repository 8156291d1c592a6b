"""Audio files of any common kind into float32 samples; every failure is one short AudioError.

All goes in blocks, so that a file of hours needs no more memory than a short one; `decode` joins
them for those who want it whole. What a file holds that its header is silent about: `decoding`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from melodygan.audio.decoding import announced, joined, open_piece
from melodygan.audio.parts import without_tags
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


@dataclass(frozen=True)
class AudioStream:
    """An audio file being decoded: its sample rate in Hz, and its (n, channels) blocks in turn.

    seconds: that its header announces of the whole file; None where it does not say. exact:
    whether the samples are those that were stored, not rebuilt by a lossy coder.
    """

    rate: int
    blocks: Iterator[Audio]
    seconds: float | None
    exact: bool


def open_audio(
    source: Path | Extent, start: float | None = None, end: float | None = None
) -> AudioStream:
    """Decode a file, or its part from `start` to `end` seconds, block by block.

    Files that were joined end to end are one file, tags in front are passed over, and the channel
    of a subwoofer is left out. Raises AudioError when the file is missing, not a regular file or
    not audio; and on the way through the blocks when it is damaged, without samples in the part,
    not finite, or when much of it lies where no decoder looks. Blocks have from 1 to 2**18 samples.
    """
    extent = without_tags(Extent(source) if isinstance(source, Path) else source)
    first = open_piece(extent)
    rate = first.rate
    if not _RATES[0] <= rate <= _RATES[1]:
        first.reader.close()
        raise AudioError(extent.path.name, f"sample rate of {rate} Hz")
    skip = round((start or 0.0) * rate)
    wanted = None if end is None else round((end - (start or 0.0)) * rate)
    blocks = _checked(joined(extent, first, skip), extent.path.name, wanted, round(_LONGEST * rate))
    return AudioStream(rate, blocks, first.seconds, first.exact)


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
    """Duration of a file in seconds, from its header where that can be true. Raises AudioError."""
    seconds = announced(without_tags(Extent(path)))
    if seconds is None:
        stream = open_audio(path)
        seconds = sum(len(block) for block in stream.blocks) / stream.rate
    return seconds


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
