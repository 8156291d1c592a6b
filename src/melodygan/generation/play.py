"""Invented music of any length, made while it is listened to or written to a file."""

import itertools
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.pcm import to_int16
from melodygan.generation.makers import Player, Sampler, Synthesiser, at_temperature
from melodygan.generation.songs import Song
from melodygan.pipeline.errors import UserError

Float = NDArray[np.float32]

PIECE = 64  # frames that are synthesised at once, so that the first are heard soon
ENDLESS = 1 << 40  # frames
MEMORY = 1024  # frames at the end of a song that a model may go on from
LEAD = 64  # of them that the vocoder hears, and over which the song is crossfaded
UNKNOWN = 0xFFFFFFFF  # length of a WAV file of which nobody knows the end


class Feed:
    """Random access to the latest frames of an endless log-mel."""

    def __init__(self, pieces: Iterator[Float]) -> None:
        self.pieces, self.start, self.frames = pieces, 0, next(pieces)

    def read(self, start: int, stop: int) -> Float:
        """Frames start to stop; those before are forgotten."""
        while self.start + len(self.frames) < stop:
            self.frames = np.concatenate([self.frames, next(self.pieces)])
        self.frames = self.frames[start - self.start :]
        self.start = start
        return self.frames[: stop - start]


def invented(
    model: Sampler, synthesiser: Synthesiser, seed: int, label: str | None, frames: int | None
) -> Iterator[Float]:
    """Sound (samples,) of one invented piece, a little at a time.

    frames: None stands for no end. Raises UserError for a length that the model cannot make.
    """
    if isinstance(model, Player):
        feed = Feed(model.play(seed, label))
        yield from synthesiser.synthesise_pieces(feed.read, frames or ENDLESS, PIECE)
    elif frames is None:
        raise UserError("this model makes clips of one length: choose another --model to play")
    else:
        yield synthesiser.synthesise(model.sample(1, seed, label, frames)[0])


@dataclass(frozen=True)
class Wish:
    """What a listener asks for. None: any label; the model's own temperature."""

    label: str | None
    temperature: float | None


def steered(
    name: str, model: Player, synthesiser: Synthesiser, seed: int, wish: Callable[[], Wish]
) -> Iterator[Float]:
    """Sound (samples,) without end that obeys what `wish` says now, a little at a time.

    After a change the music goes on from its last seconds, PIECE frames later at most. Without one
    it is the sound of `invented`. name: of the model. Raises UserError for a wish that cannot be.
    """
    feed = Feed(_steered(name, model, seed, wish))
    yield from synthesiser.synthesise_pieces(feed.read, ENDLESS, PIECE)


@dataclass(frozen=True)
class Piece:
    """Sound (n,), and the seconds that it took to make."""

    samples: Float
    busy: float


def paced(pieces: Iterator[Float], sample_rate: int, ahead: float) -> Iterator[Piece]:
    """A sound no faster than it is heard: at most `ahead` seconds before, and a piece.

    So what a listener asks for is soon heard. Where making takes longer than hearing, the clock
    waits for it.
    """
    heard_from = time.monotonic()
    made = 0.0  # s, from there on
    while True:
        begun = time.monotonic()
        piece = next(pieces, None)
        if piece is None:
            return
        now = time.monotonic()
        yield Piece(piece, now - begun)
        if not made or now - heard_from > made:
            heard_from, made = now, 0.0  # the first piece, or the listener had to wait for this one
        made += len(piece) / sample_rate
        time.sleep(max(0.0, made - ahead - (time.monotonic() - heard_from)))


def _steered(name: str, model: Player, seed: int, wish: Callable[[], Wish]) -> Iterator[Float]:
    """Log-mel (frames, n_mels) without end."""
    heard: Float | None = None
    for change in itertools.count():
        now = wish()
        pieces = at_temperature(name, model, now.temperature).play(seed + change, now.label, heard)
        while wish() == now:
            piece = next(pieces)
            heard = piece if heard is None else np.concatenate([heard, piece])[-MEMORY:]
            yield piece


def continued(
    song: Song,
    model: Player,
    synthesiser: Synthesiser,
    seed: int,
    label: str | None,
    samples: int,
) -> Iterator[Float]:
    """Sound (n,) of what models hear of a song, and `samples` more that go on from where it ends.

    At the song's level; a faded end is left out. The last moments are crossfaded into their own
    synthesis, with which the invented ones are of one piece.
    """
    hop, end = song.hearing.audio.hop_length, song.end()
    heard = song.read(max(0, end - MEMORY), end)
    lead = min(LEAD, end)
    feed = Feed(itertools.chain([heard[-lead:]], model.play(seed, label, heard)))
    frames = lead - (-samples // hop)
    made = (piece / song.gain for piece in synthesiser.synthesise_pieces(feed.read, frames, PIECE))
    yield from song.sound(0, (end - lead) * hop)
    left = np.concatenate(list(song.sound((end - lead) * hop, end * hop)))
    fade, at = np.linspace(1, 0, len(left), dtype=np.float32), 0
    for piece in first_samples(made, len(left) + samples):
        under = left[at : at + len(piece)]
        piece[: len(under)] += fade[at : at + len(under)] * (under - piece[: len(under)])
        at += len(piece)
        yield piece


def stream_wav(file: BinaryIO, pieces: Iterator[Float], sample_rate: int) -> int:
    """Write sound (samples,) as a WAV stream, mono, 16 bit, at once; the number of samples.

    Louder samples than full scale are clipped, since what has been heard cannot be made softer. A
    file gets its true length at the end; a pipe keeps the longest there is. sample_rate: Hz.
    """
    file.write(_header(sample_rate, UNKNOWN - 36))
    written = 0
    for piece in pieces:
        file.write(to_int16(np.clip(piece, -1, 1)).tobytes())
        file.flush()
        written += len(piece)
    if file.seekable():
        file.seek(0)
        file.write(_header(sample_rate, 2 * written))
    return written


def first_samples(pieces: Iterator[Float], count: int) -> Iterator[Float]:
    """The first `count` samples of a sound."""
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return


def _header(sample_rate: int, size: int) -> bytes:
    """Of a WAV file with `size` bytes of sound."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", size)
    return struct.pack("<4sI", b"RIFF", size + 36) + body
