"""`melodygan convert`: a whole song from a file into the other label's style."""

from pathlib import Path

from melodygan.audio.mel import MelConfig
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.generation.convert import Conversion
from melodygan.generation.makers import Makers
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.params import load
from melodygan.pipeline.runtime import Runtime
from melodygan.training.device import start_device


def convert(song: Path, source: str | None, target: str, out: Path) -> str:
    """Convert the file `song` from label `source` to label `target` into the WAV file `out`.

    source: None stands for the only label that a model can convert to `target`. Returns a line
    that says what was done. Raises UserError for a song that is not usable audio, a direction that
    was not trained, models that are not there, or an `out` that is the song.
    """
    if out.suffix.lower() != ".wav":
        raise UserError(f"{out}: the result is a WAV file: give it a name that ends in .wav")
    if out.exists() and song.exists() and out.samefile(song):
        raise UserError(f"{out} is the song itself: give the result another name")
    if out.is_dir():
        raise UserError(f"{out} is a folder: give the result the name of a file")
    audio, cleaning = load(MelConfig, "audio"), load(PreprocessParams, "preprocess")
    makers = Makers(audio, start_device(Runtime.read()))
    _, model, source = makers.converter(source, target)
    conversion = Conversion(model, source, target, makers.synthesiser(), audio, cleaning)
    seconds = conversion.run(song, out)
    return f"{out}: {seconds:.1f} s of {song.name}, {source} to {target}"
