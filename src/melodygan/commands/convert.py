"""`melodygan convert`: a whole song from a file into the other label's style."""

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from melodygan.audio.decode import decode, to_mono
from melodygan.audio.loudness import SHORTEST, integrated_loudness, normalising_gain, true_peak
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.audio.pcm import to_int16
from melodygan.audio.phase import in_phase
from melodygan.dataset.preprocess import PreprocessParams
from melodygan.models.cyclegan.model import TrainedCycleGAN
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.errors import UserError
from melodygan.pipeline.files import write_atomic
from melodygan.pipeline.params import load


def convert(song: Path, source: str | None, target: str, out: Path) -> str:
    """Convert the file `song` from label `source` to label `target` into the WAV file `out`.

    source: None stands for the only label that the model can convert to `target`. The result is
    mono, 16 bit, at the rate of params group `audio`, as long as the song to within a frame.
    Returns a line that says what was done. Raises UserError for a song that is not usable audio,
    a direction that was not trained, models that are not there, or an `out` that is the song.
    """
    if out.suffix.lower() != ".wav":
        raise UserError(f"{out}: the result is a WAV file: give it a name that ends in .wav")
    if out.exists() and song.exists() and out.samefile(song):
        raise UserError(f"{out} is the song itself: give the result another name")
    if out.is_dir():
        raise UserError(f"{out} is a folder: give the result the name of a file")
    audio = load(MelConfig, "audio")
    model = TrainedCycleGAN.load(Path("models/cyclegan"), audio)
    source = source or _only_source(model, target)
    vocoder = Vocoder.load(Path("models/vocoder"), audio)
    samples = _load_song(song, audio.sample_rate)
    mel = model.convert(log_mel(samples, audio), source, target)
    _write_wav(out, vocoder.synthesise(mel), audio.sample_rate)
    return f"{out}: {len(samples) / audio.sample_rate:.1f} s of {song.name}, {source} to {target}"


def _only_source(model: TrainedCycleGAN, target: str) -> str:
    sources = [a for a, b in model.generators if b == target]
    if not sources:
        known = ", ".join(f"{a} to {b}" for a, b in model.generators) or "none"
        raise UserError(
            f"models/cyclegan cannot convert to {target} (trained: {known}): "
            "set cyclegan.labels in params.yaml and run `dvc repro cyclegan`"
        )
    return sources[0]  # the model has two labels, so one other


def _load_song(song: Path, rate: int) -> NDArray[np.float32]:
    """Mono (samples,) at `rate` Hz and the loudness of the training data, with nothing cut out."""
    samples = to_mono(in_phase(decode(song, rate)[0]))
    if len(samples) < SHORTEST * rate:
        raise UserError(f"{song}: shorter than {SHORTEST} s: choose a longer file")
    loudness = integrated_loudness(samples, rate)
    if not np.isfinite(loudness):
        raise UserError(f"{song}: silent (below -70 LUFS): choose another file")
    params = load(PreprocessParams, "preprocess")
    peak = true_peak(samples, rate)
    gain = normalising_gain(loudness, peak, params.loudness_lufs, params.true_peak_db)
    return samples * np.float32(gain)


def _write_wav(out: Path, samples: NDArray[np.float32], rate: int) -> None:
    """PCM_16, scaled down rather than clipped where the vocoder overshoots full scale."""
    peak = max(1.0, float(np.abs(samples).max(initial=0.0)))
    file = io.BytesIO()
    soundfile.write(file, to_int16(samples / np.float32(peak)), rate, "PCM_16", format="WAV")
    write_atomic(out, file.getvalue())
