"""A song between two files: what models hear of it, and sound made of what they answer."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.decode import Extent, open_audio, resampled, to_stereo
from melodygan.audio.loudness import LoudnessMeter, TruePeakMeter, normalising_gain
from melodygan.audio.mel import MelConfig, log_mel_part
from melodygan.audio.wav import write_wav
from melodygan.dataset.npy import NpyWriter
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.dataset.scratch import Scratch
from melodygan.generation.contour import WINDOW, Contour, short_term
from melodygan.generation.makers import Synthesiser
from melodygan.generation.progress import shown
from melodygan.pipeline.errors import UserError
from melodygan.separation.scratch import StereoScratch
from melodygan.separation.separate import SAMPLE_RATE as STEM_RATE

Float = NDArray[np.float32]
_BLOCK = 1 << 16  # samples
_FADED = -9.0  # dB, under the mean power of the song: its end is fading


class VocalSeparator(Protocol):
    """Finds the vocals of a mix, as `separation.separate.StemSeparator` does."""

    def vocals(self, read: Callable[[int, int], Float], samples: int) -> Iterator[Float]:
        """In blocks (n, 2), in order; `read` gives samples of the mix at 44,100 Hz."""


@dataclass(frozen=True)
class Separation:
    """How a song is taken apart first.

    stem: what of it models hear, instrumental or vocals. keep_vocals: lay the vocals over what
    they make of the instrumental.
    """

    separator: VocalSeparator
    stem: str
    keep_vocals: bool


@dataclass(frozen=True)
class Hearing:
    """How models hear songs: their mel convention, their level, the whole mix or a stem of it."""

    audio: MelConfig
    cleaning: PreprocessParams
    separation: Separation | None = None


class Song:
    """A song as models hear it, of any length in bounded memory; a context that cleans up.

    gain: what brings it to the training data's loudness.
    """

    def __init__(self, path: Path, hearing: Hearing, folder: Path) -> None:
        """folder: where temporary files lie, of about 150 kB per second; 850 kB where the song is
        taken apart. Raises UserError for a song that is not usable audio.
        """
        self.path, self.hearing = path, hearing
        self._stack = ExitStack()
        try:
            temporary = tempfile.TemporaryDirectory(dir=folder, prefix=".song-")
            self._folder = Path(self._stack.enter_context(temporary))
            self._vocals = self._stack.enter_context(StereoScratch(self._folder))
            self._samples = self._decode()
            self._meter, self.gain = self._loudness()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def seconds(self) -> float:
        """Its length."""
        return self._samples.samples / self.hearing.audio.sample_rate

    @property
    def frames(self) -> int:
        """Of its log-mel."""
        return self.hearing.audio.frames(self._samples.samples)

    def end(self) -> int:
        """The frame where its music ends: after it no second comes near its loudness again.

        A faded or silent end is not what anyone wants more of.
        """
        powers = self._meter.powers()  # of tenths of a second
        loud = np.flatnonzero(short_term(powers) >= powers.mean() * 10 ** (_FADED / 10))
        seconds = (int(loud[-1]) + WINDOW / 2) / 10
        return min(self.frames, round(seconds * self.hearing.audio.frame_rate))

    def sound(self, start: int, stop: int) -> Iterator[Float]:
        """Samples of what models hear of it, at its own level: (n,) at a time."""
        for first in range(start, stop, _BLOCK):
            yield self._samples.read(first, min(first + _BLOCK, stop))

    def read(self, start: int, stop: int) -> Float:
        """Its log-mel (stop - start, n_mels), at the training data's level."""
        audio, gain = self.hearing.audio, self.gain

        def sound(first: int, last: int) -> Float:
            return self._samples.read(first, last) * gain

        part = np.empty((stop - start, audio.n_mels), np.float32)
        log_mel_part(sound, self._samples.samples, audio, start, part)
        return part

    def write(self, out: Path, made: Iterable[Float], synthesiser: Synthesiser) -> None:
        """Sound of `made`, log-mel of as many frames piece after piece, into the WAV file `out`.

        At the song's loudness, also in its course from second to second; 16 bit: mono at the
        models' sample rate, as long as the song to within a frame; or with its vocals in stereo at
        44,100 Hz, as long as the song.
        """
        audio, path = self.hearing.audio, self._folder / "mel.npy"
        with NpyWriter(path, (self.frames, audio.n_mels), np.float32) as file:
            for piece in shown(made, self.frames, "transforming"):
                file.append(np.ascontiguousarray(piece, np.float32))
        mel = np.asarray(np.load(path, mmap_mode="r"))
        scratch = Scratch(self._folder, audio.sample_rate, audio.sample_rate)
        with scratch as sound:
            pieces = synthesiser.synthesise_pieces(lambda a, b: mel[a:b], len(mel))
            for piece in shown(pieces, len(mel) * audio.hop_length, "synthesising"):
                sound.add(piece[:, None])
            sound.finish()
            self._write(out, sound)

    def _decode(self) -> Scratch:
        """What models hear, mono; fills the vocals where they are wanted back."""
        stream = open_audio(Extent(self.path))
        rate, separation = self.hearing.audio.sample_rate, self.hearing.separation
        given = stream.rate if separation is None else STEM_RATE
        samples = self._stack.enter_context(Scratch(self._folder, given, rate))
        if separation is None:
            for block in stream.blocks:
                samples.add(block)
            samples.finish()
            return samples
        with StereoScratch(self._folder) as mix, StereoScratch(self._folder) as sung:
            for block in resampled(stream.blocks, stream.rate, STEM_RATE):
                mix.append(to_stereo(block))
            found = separation.separator.vocals(mix.read, mix.samples) if mix.samples else ()
            for block in shown(found, mix.samples, "separating"):
                sung.append(block)
            for whole, voice in zip(mix.blocks(), sung.blocks(), strict=True):
                samples.add(voice if separation.stem == "vocals" else whole - voice)
                if separation.keep_vocals:
                    self._vocals.append(voice)
        samples.finish()
        return samples

    @property
    def level(self) -> float:
        """Its loudness in LUFS."""
        return self._meter.loudness()

    def _loudness(self) -> tuple[LoudnessMeter, np.float32]:
        audio, cleaning = self.hearing.audio, self.hearing.cleaning
        if self._samples.samples < audio.n_fft:
            raise UserError(
                f"{self.path}: shorter than {audio.n_fft} samples: choose a longer file"
            )
        peak = TruePeakMeter(audio.sample_rate)
        for block in _blocks(self._samples):
            peak.add(block)
        meter = _measured(_blocks(self._samples), audio.sample_rate)
        found = meter.loudness()
        if not np.isfinite(found):
            apart = self.hearing.separation
            part = f"the {apart.stem} of it is silent" if apart else "silent"
            raise UserError(f"{self.path}: {part} (below -70 LUFS): choose another file")
        wanted, ceiling = cleaning.loudness_lufs, cleaning.true_peak_db
        return meter, np.float32(normalising_gain(found, peak.finish(), wanted, ceiling))

    def _write(self, out: Path, made: Scratch) -> None:
        """As loud as the song, from passage to passage, under the vocals where there are some."""
        rate = self.hearing.audio.sample_rate
        contour = Contour(self._meter.powers(), _measured(_blocks(made), rate).powers(), rate)
        starts = range(0, made.samples, _BLOCK)

        def shaped() -> Iterator[Float]:
            for start, block in zip(starts, _blocks(made), strict=True):
                yield contour(block, start)

        found = _measured(shaped(), rate).loudness()
        gain = np.float32(10 ** ((self.level - found) / 20) if np.isfinite(found) else 1.0)
        sound = (block * gain for block in shaped())
        if self._vocals.samples:
            write_wav(out, _together(resampled(sound, rate, STEM_RATE), self._vocals), STEM_RATE, 2)
        else:
            write_wav(out, sound, rate)


def _together(sound: Iterable[Float], vocals: StereoScratch) -> Iterator[Float]:
    """Blocks of mono `sound` in the middle of stereo vocals, which end it: (n, 2)."""
    start = 0
    for block in sound:
        sung = vocals.read(start, min(start + len(block), vocals.samples))
        yield sung + block[: len(sung), None]
        start += len(sung)
    if start < vocals.samples:  # less than a frame
        yield vocals.read(start, vocals.samples)


def _measured(blocks: Iterable[Float], rate: int) -> LoudnessMeter:
    meter = LoudnessMeter(rate)
    for block in blocks:
        meter.add(block)
    return meter


def _blocks(samples: Scratch) -> Iterator[Float]:
    for start in range(0, samples.samples, _BLOCK):
        yield samples.read(start, min(start + _BLOCK, samples.samples))
