"""One piece of audio after another out of a file, each by the library that can decode it.

libsndfile decodes what it knows (wav, flac, ogg, opus, mp3, aiff, ...) and is the faster one;
FFmpeg decodes the rest. Where a decoder ends before the bytes do, what follows is decoded too:
another file, or samples of which the header says nothing. Where neither is to be found, that is
an error, for nobody would notice that most of a song is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.parts import next_file, unexplained, wav_length, without_tags
from melodygan.audio.source import AudioError, Extent, Reader

Audio = NDArray[np.float32]
_BLOCK = 1 << 18  # samples of all channels together that are read at once
_UNKNOWN = 2**62  # samples; libsndfile says at least so many where the header gives no length
# formats of which libsndfile decodes no more than their header announces
_BELIEVED = ("MP3", "FLAC", "OGG", "AU", "CAF", "W64", "RF64")
_MANY = 8  # channels; PyAV 18.1 crashes on so many
_SUBWOOFERS = {  # which of 6, 7 or 8 channels is one (RFC 9639, 9.1.3; Vorbis I, 4.3.9)
    "FLAC": (3, 3, 3),
    "WAV": (3, 3, 3),
    "WAVEX": (3, 3, 3),
    "OGG": (5, 6, 7),
}
_LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")


@dataclass(frozen=True)
class Piece:
    """A file being decoded: its sample rate in Hz, and its (n, channels) blocks.

    sound: libsndfile's handle, None where FFmpeg decodes. seconds: that the header announces, or
    None. exact: whether the samples are those that were stored, not rebuilt by a lossy coder. end:
    the byte where they end, where the header says it: FFmpeg looks for more tags behind it. short:
    whether it is known that more samples follow there.
    """

    name: str
    rate: int
    blocks: Iterator[Audio]
    reader: Reader
    sound: soundfile.SoundFile | None
    seconds: float | None
    exact: bool
    end: int | None = None
    short: bool = False

    def skip(self, samples: int) -> int:
        """Pass over up to so many samples before the first block; return how many it was."""
        if self.sound is None or not samples:
            return 0
        try:
            return int(self.sound.seek(min(samples, self.sound.frames)))
        except soundfile.SoundFileError as error:
            raise AudioError(self.name, f"damaged ({reason(error)})") from None

    def believes(self) -> bool:
        """Whether the decoder ends where the header says, whatever comes then."""
        return self.short or (self.sound is not None and self.sound.format in _BELIEVED)


def open_piece(extent: Extent) -> Piece:
    """The first piece of audio in `extent`. Raises AudioError where no library knows it."""
    length = wav_length(extent)
    piece = _open_sf(extent, 0 if length is None else length.mask)
    channels = 0 if piece is None or piece.sound is None else piece.sound.channels
    if length is not None and length.false and piece is not None and _is_aiff(piece):
        return replace(piece, short=True)
    if length is not None and length.false:
        if piece is not None:
            piece.reader.close()
        if channels >= _MANY:
            raise AudioError(extent.path.name, "its header gives a false length")
        return replace(_open_av(extent, to_the_end=True), seconds=None)
    if piece is None:
        piece = _open_av(extent)
    if length is not None:
        piece = replace(piece, seconds=length.seconds or piece.seconds, end=length.end)
    return piece


def _is_aiff(piece: Piece) -> bool:
    """FFmpeg reads a WAV to its end if told so, but believes the header of an AIFF."""
    return piece.sound is not None and piece.sound.format == "AIFF"


def joined(extent: Extent, first: Piece, skip: int) -> Iterator[Audio]:
    """The blocks of `first`, which `open_piece` gave for `extent`, and of what follows it there.

    skip: samples that are left out at the beginning. Raises AudioError for damage, for a piece
    that does not fit the first one, and where much of the file cannot be decoded.
    """
    piece, channels = first, 0
    while True:
        with piece.reader:
            place = piece.skip(skip)
            skip -= place
            piece.reader.furthest = piece.reader.tell()
            for block in piece.blocks:
                place += len(block)
                if channels and block.shape[1] != channels:
                    raise AudioError(extent.path.name, "its channels change on the way")
                channels = block.shape[1]
                if len(rest := block[skip:]):
                    yield rest
                skip = max(0, skip - len(block))
            furthest = min(piece.reader.furthest, piece.end or piece.reader.furthest)
        following = next_file(extent, furthest)
        if following is None:
            if piece.believes():
                yield from _unannounced(extent, furthest, place, skip)
            return
        extent = without_tags(following)
        try:
            piece = open_piece(extent)
        except AudioError as error:
            if unexplained(extent, 0):
                raise AudioError(error.file, f"damaged ({error.reason} from the middle)") from None
            return
        if piece.rate != first.rate:
            piece.reader.close()
            raise AudioError(extent.path.name, "its sample rate or channels change on the way")


def _unannounced(extent: Extent, furthest: int, place: int, skip: int) -> Iterator[Audio]:
    """What lies behind the end that the header gives, which only FFmpeg looks for.

    place: samples up to that end; skip: how many more are to be left out.
    """
    fraction = unexplained(extent, furthest)
    if not fraction:
        return
    more = False
    try:
        piece = _open_av(extent)
        with piece.reader:
            for block in piece.blocks:
                more = more or len(block) > place
                if len(rest := block[place + skip :]):
                    yield rest
                skip = max(0, skip - max(0, len(block) - place))
                place = max(0, place - len(block))
    except AudioError:
        more = False
    if not more:
        words = f"{fraction:.0%} of it cannot be decoded: it lies behind the end that its header"
        raise AudioError(extent.path.name, f"{words} gives")


def announced(extent: Extent) -> float | None:
    """Seconds of a file by its header; None where it does not say, or says what cannot be.

    Raises AudioError for what is no audio.
    """
    length = wav_length(extent)
    if length is not None and length.false:
        return None
    piece = open_piece(extent)
    with piece.reader:
        if piece.sound is None:
            return piece.seconds
        return piece.sound.frames / piece.rate if piece.sound.frames else None


def _open_sf(extent: Extent, mask: int) -> Piece | None:
    """By libsndfile; None where it does not know the file. mask: of a WAV's channels, or 0."""
    file = extent.open()
    try:
        # TypeError: a name in .raw makes soundfile ask for a format before it looks inside
        sound = soundfile.SoundFile(file)
    except (soundfile.SoundFileError, TypeError):
        file.close()
        return None
    # soundfile seeks after each block, which fails in a FLAC that does not say its length
    if sound.frames >= _UNKNOWN:
        file.close()
        return None
    seconds, exact = sound.frames / max(1, sound.samplerate), sound.subtype not in _LOSSY
    blocks = _blocks_sf(sound, extent.path.name, _subwoofer(sound.format, sound.channels, mask))
    return Piece(extent.path.name, sound.samplerate, blocks, file, sound, seconds, exact)


def _subwoofer(kind: str, channels: int, mask: int) -> int | None:
    """Which channel is a subwoofer's (LFE), or None. A WAV's mask says it: bit 3, in order."""
    if mask:
        return (mask & 7).bit_count() if mask & 8 and channels > 1 else None
    return _SUBWOOFERS[kind][channels - 6] if kind in _SUBWOOFERS and 6 <= channels <= 8 else None


def _blocks_sf(sound: soundfile.SoundFile, name: str, left_out: int | None) -> Iterator[Audio]:
    with sound:
        size = max(1, _BLOCK // sound.channels)
        try:
            # frame counts in headers may be unknown or false, so read until nothing comes
            while len(block := sound.read(size, dtype="float32", always_2d=True)):
                yield block if left_out is None else np.delete(block, left_out, axis=1)
        except soundfile.SoundFileError as error:
            raise AudioError(name, f"damaged ({reason(error)})") from None


def _open_av(extent: Extent, to_the_end: bool = False) -> Piece:
    """By FFmpeg. Raises AudioError where it finds no audio."""
    from melodygan.audio import ffmpeg  # only for the files that need it: it loads slowly

    file, name = extent.open(), extent.path.name
    try:
        decoding = ffmpeg.Decoding(file, to_the_end)
        blocks = decoding.blocks()
        first, rate = next(blocks)
    except ffmpeg.ERRORS as error:
        file.close()
        words = str(error)
        text = words if words == ffmpeg.NOTHING else f"not decodable audio ({reason(error)})"
        raise AudioError(name, text) from None
    except StopIteration:
        file.close()
        raise AudioError(name, ffmpeg.NOTHING) from None

    def all_blocks() -> Iterator[Audio]:
        try:
            for block, _ in chain([(first, rate)], blocks):
                yield block
        except ffmpeg.ERRORS as error:
            raise AudioError(name, f"damaged ({reason(error)})") from None

    return Piece(name, rate, all_blocks(), file, None, decoding.seconds, decoding.exact)


def reason(error: Exception) -> str:
    """The library's own words, without the path that both libraries like to add."""
    words = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    return " ".join(words.split()).removeprefix("Error : ").strip(" .")
