"""A whole song into another label's style: from a file to a file, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodygan.generation.makers import Converter, Synthesiser
from melodygan.generation.songs import Hearing, Song

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Conversion:
    """What a song is converted with: a model, a vocoder, and how they hear songs.

    strength: how far it is taken, from 0 (the source) to 1, in a straight line through log-mel.
    """

    converter: Converter
    source: str
    target: str
    synthesiser: Synthesiser
    hearing: Hearing
    strength: float = 1.0

    def run(self, path: Path, out: Path) -> float:
        """Write the converted song `path` to the WAV file `out`; returns its length in seconds.

        Form and level of the result: see `Song.write`; nothing is cut out. Temporary files lie
        beside `out`. Raises UserError for a song that is not usable audio.
        """
        out.parent.mkdir(parents=True, exist_ok=True)
        with Song(path, self.hearing, out.parent) as song:
            song.write(out, self._converted(song), self.synthesiser)
            return song.seconds

    def _converted(self, song: Song) -> Iterator[Float]:
        at = 0
        directions = self.source, self.target
        for piece in self.converter.convert_pieces(song.read, song.frames, *directions):
            if self.strength < 1:
                plain = song.read(at, at + len(piece))
                piece = plain + np.float32(self.strength) * (piece - plain)
            at += len(piece)
            yield piece
