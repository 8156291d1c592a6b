"""A whole song into another label's style: from a file to a file, in bounded memory."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from melodygan.audio.decode import Extent, open_audio, resampled, to_stereo
from melodygan.audio.loudness import LoudnessMeter, TruePeakMeter, normalising_gain
from melodygan.audio.mel import MelConfig, log_mel_part
from melodygan.audio.wav import write_wav
from melodygan.dataset.npy import NpyWriter
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.dataset.scratch import Scratch
from melodygan.generation.makers import Converter, Synthesiser
from melodygan.pipeline.errors import UserError
from melodygan.separation.scratch import StereoScratch
from melodygan.separation.separate import SAMPLE_RATE as STEM_RATE

Float = NDArray[np.float32]
_BLOCK = 1 << 16  # samples


class VocalSeparator(Protocol):
    """Finds the vocals of a mix, as `separation.separate.StemSeparator` does."""

    def vocals(self, read: Callable[[int, int], Float], samples: int) -> Iterator[Float]:
        """In blocks (n, 2), in order; `read` gives samples of the mix at 44,100 Hz."""


@dataclass(frozen=True)
class Separation:
    """How a song is taken apart first.

    stem: what of it is converted, instrumental or vocals. keep_vocals: lay the vocals over the
    converted instrumental.
    """

    separator: VocalSeparator
    stem: str
    keep_vocals: bool


@dataclass(frozen=True)
class Conversion:
    """What a song is converted with: its level as the training data's, a model, a vocoder.

    strength: how far it is taken, from 0 (the source) to 1, in a straight line through log-mel.
    separation: None converts the song as it is.
    """

    converter: Converter
    source: str
    target: str
    synthesiser: Synthesiser
    audio: MelConfig
    cleaning: PreprocessParams
    strength: float = 1.0
    separation: Separation | None = None

    def run(self, song: Path, out: Path) -> float:
        """Write the converted file `song` to the WAV file `out`; returns its length in seconds.

        The result has the loudness of what was converted, nothing is cut out, and it is 16 bit:
        mono at the models' sample rate, as long as the song to within a frame; or with its vocals
        in stereo at 44,100 Hz, as long as the song. Temporary files of about 150 kB per second lie
        beside `out`, 850 kB where the song is taken apart. Raises UserError for a song that is not
        usable audio.
        """
        out.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(dir=out.parent, prefix=".convert-"))
            )
            vocals = stack.enter_context(StereoScratch(folder))
            samples = self._decode(song, folder, stack, vocals)
            level, gain = self._level(samples, song)
            mel = self._mel(samples, gain, folder)
            made = stack.enter_context(
                Scratch(folder, self.audio.sample_rate, self.audio.sample_rate)
            )
            sound = self.synthesiser.synthesise_pieces(lambda a, b: mel[a:b], len(mel))
            for piece in _shown(sound, len(mel) * self.audio.hop_length, "synthesising"):
                made.add(piece[:, None])
            made.finish()
            self._write(out, made, level, vocals)
            return samples.samples / self.audio.sample_rate

    def _decode(self, song: Path, folder: Path, stack: ExitStack, vocals: StereoScratch) -> Scratch:
        """What is to be converted, mono; fills `vocals` where they are wanted back."""
        stream = open_audio(Extent(song))
        rate = self.audio.sample_rate
        if self.separation is None:
            samples = stack.enter_context(Scratch(folder, stream.rate, rate))
            for block in stream.blocks:
                samples.add(block)
            samples.finish()
            return samples
        samples = stack.enter_context(Scratch(folder, STEM_RATE, rate))
        with StereoScratch(folder) as mix, StereoScratch(folder) as sung:
            for block in resampled(stream.blocks, stream.rate, STEM_RATE):
                mix.append(to_stereo(block))
            found = self.separation.separator.vocals(mix.read, mix.samples) if mix.samples else ()
            for block in _shown(found, mix.samples, "separating"):
                sung.append(block)
            for whole, voice in zip(mix.blocks(), sung.blocks(), strict=True):
                samples.add(voice if self.separation.stem == "vocals" else whole - voice)
                if self.separation.keep_vocals:
                    vocals.append(voice)
        samples.finish()
        return samples

    def _level(self, samples: Scratch, song: Path) -> tuple[float, np.float32]:
        """Loudness (LUFS), and the gain that brings it to that of the training data."""
        rate = self.audio.sample_rate
        if samples.samples < self.audio.n_fft:
            raise UserError(
                f"{song}: shorter than {self.audio.n_fft} samples: choose a longer file"
            )
        peak = TruePeakMeter(rate)
        for block in _blocks(samples):
            peak.add(block)
        found = _loudness(samples, rate)
        if not np.isfinite(found):
            part = f"the {self.separation.stem} of it is silent" if self.separation else "silent"
            raise UserError(f"{song}: {part} (below -70 LUFS): choose another file")
        wanted, ceiling = self.cleaning.loudness_lufs, self.cleaning.true_peak_db
        return found, np.float32(normalising_gain(found, peak.finish(), wanted, ceiling))

    def _mel(self, samples: Scratch, gain: np.float32, folder: Path) -> Float:
        """The converted log-mel (frames, n_mels), memory-mapped from a file in `folder`."""

        def sound(start: int, stop: int) -> Float:
            return samples.read(start, stop) * gain

        def read(start: int, stop: int) -> Float:
            part = np.empty((stop - start, self.audio.n_mels), np.float32)
            log_mel_part(sound, samples.samples, self.audio, start, part)
            return part

        path, frames, at = folder / "mel.npy", self.audio.frames(samples.samples), 0
        pieces = self.converter.convert_pieces(read, frames, self.source, self.target)
        with NpyWriter(path, (frames, self.audio.n_mels), np.float32) as file:
            for piece in _shown(pieces, frames, "converting"):
                if self.strength < 1:
                    plain = read(at, at + len(piece))
                    piece = plain + np.float32(self.strength) * (piece - plain)
                at += len(piece)
                file.append(np.ascontiguousarray(piece, np.float32))
        return np.asarray(np.load(path, mmap_mode="r"))

    def _write(self, out: Path, made: Scratch, level: float, vocals: StereoScratch) -> None:
        """The sound in `made` at the loudness `level` (LUFS), under the vocals where there are."""
        rate = self.audio.sample_rate
        found = _loudness(made, rate)
        gain = np.float32(10 ** ((level - found) / 20) if np.isfinite(found) else 1.0)
        sound = (block * gain for block in _blocks(made))
        if vocals.samples:
            write_wav(out, _together(resampled(sound, rate, STEM_RATE), vocals), STEM_RATE, 2)
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


def _loudness(samples: Scratch, rate: int) -> float:
    meter = LoudnessMeter(rate)
    for block in _blocks(samples):
        meter.add(block)
    return meter.loudness()


def _blocks(samples: Scratch) -> Iterator[Float]:
    for start in range(0, samples.samples, _BLOCK):
        yield samples.read(start, min(start + _BLOCK, samples.samples))


def _shown(pieces: Iterable[Float], total: int, what: str) -> Iterator[Float]:
    """The pieces, with a bar on a terminal: how many of `total` rows are done."""
    with tqdm(desc=what, total=total, unit_scale=True, disable=None) as bar:
        for piece in pieces:
            yield piece
            bar.update(len(piece))
