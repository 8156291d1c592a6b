"""A whole song into another label's style: from a file to a file, in bounded memory."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.decode import open_audio
from melodygan.audio.loudness import LoudnessMeter, TruePeakMeter, normalising_gain
from melodygan.audio.mel import MelConfig, log_mel_part
from melodygan.audio.phase import polarity
from melodygan.audio.source import Extent
from melodygan.audio.wav import write_wav
from melodygan.dataset.npy import NpyWriter
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.dataset.scratch import Scratch
from melodygan.generation.makers import Converter, Synthesiser
from melodygan.pipeline.errors import UserError

Float = NDArray[np.float32]
_BLOCK = 1 << 16  # samples


@dataclass(frozen=True)
class Conversion:
    """What a song is converted with: its level as the training data's, a model, a vocoder."""

    converter: Converter
    source: str
    target: str
    synthesiser: Synthesiser
    audio: MelConfig
    cleaning: PreprocessParams

    def run(self, song: Path, out: Path) -> float:
        """Write the converted file `song` to the WAV file `out`; returns its length in seconds.

        The result is mono, 16 bit, as long as the song to within a frame, with nothing cut out.
        Temporary files of about 60 kB per second lie beside `out`. Raises UserError for a song
        that is not usable audio.
        """
        out.parent.mkdir(parents=True, exist_ok=True)
        signs = polarity(open_audio(Extent(song)).blocks)
        stream = open_audio(Extent(song))
        with (
            tempfile.TemporaryDirectory(dir=out.parent, prefix=".convert-") as folder,
            Scratch(Path(folder), stream.rate, self.audio.sample_rate) as samples,
        ):
            for block in stream.blocks:
                samples.add(block * signs)
            samples.finish()
            gain = self._gain(samples, song)
            mel = self._mel(samples, gain, Path(folder))
            sound = self.synthesiser.synthesise_pieces(lambda a, b: mel[a:b], len(mel))
            write_wav(out, sound, self.audio.sample_rate)
            return samples.samples / self.audio.sample_rate

    def _gain(self, samples: Scratch, song: Path) -> np.float32:
        """What brings the song to the loudness of the training data."""
        rate = self.audio.sample_rate
        if samples.samples < self.audio.n_fft:
            raise UserError(
                f"{song}: shorter than {self.audio.n_fft} samples: choose a longer file"
            )
        loudness, peak = LoudnessMeter(rate), TruePeakMeter(rate)
        for start in range(0, samples.samples, _BLOCK):
            block = samples.read(start, min(start + _BLOCK, samples.samples))
            loudness.add(block)
            peak.add(block)
        found = loudness.loudness()
        if not np.isfinite(found):
            raise UserError(f"{song}: silent (below -70 LUFS): choose another file")
        wanted, ceiling = self.cleaning.loudness_lufs, self.cleaning.true_peak_db
        return np.float32(normalising_gain(found, peak.finish(), wanted, ceiling))

    def _mel(self, samples: Scratch, gain: np.float32, folder: Path) -> Float:
        """The converted log-mel (frames, n_mels), memory-mapped from a file in `folder`."""

        def sound(start: int, stop: int) -> Float:
            return samples.read(start, stop) * gain

        def read(start: int, stop: int) -> Float:
            part = np.empty((stop - start, self.audio.n_mels), np.float32)
            log_mel_part(sound, samples.samples, self.audio, start, part)
            return part

        path, frames = folder / "mel.npy", self.audio.frames(samples.samples)
        with NpyWriter(path, (frames, self.audio.n_mels), np.float32) as file:
            for piece in self.converter.convert_pieces(read, frames, self.source, self.target):
                file.append(np.ascontiguousarray(piece, np.float32))
        return np.asarray(np.load(path, mmap_mode="r"))
