"""What a run sounds and looks like while it goes on: WAV and PNG files every so many steps."""

import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.griffin_lim import griffin_lim, mel_to_magnitude
from melodygan.audio.mel import MelConfig
from melodygan.audio.picture import spectrogram_png
from melodygan.audio.stft import batch_log_mel
from melodygan.audio.wav import write_wav
from melodygan.pipeline.names import file_name

Float = NDArray[np.float32]
_FOLDERS = ("samples", "sounds")
_ITERATIONS = 16  # of Griffin-Lim: enough to hear what is there, and soon done


class Samples:
    """Keeps the files beside the checkpoints, from where they are copied into the stage's output.

    DVC deletes outputs before each run, so only from there can a resumed run have them all.
    kept: that folder. shown: the output, which gets the folders `samples` (pictures alone, as DVC
    plots want it) and `sounds`. step: the resumed one; what is of later steps goes.
    """

    def __init__(self, kept: Path, shown: Path, step: int) -> None:
        self.kept, self.shown = kept, shown
        for file in kept.glob("*/step-*"):
            if int(file.name.split("-")[1]) > step:
                file.unlink()
        self.publish()

    def add(self, step: int, samples: dict[str, Float], audio: MelConfig) -> None:
        """Write step-<step>-<name>.png and .wav of what `Task.samples` gave."""
        for folder in _FOLDERS:
            (self.kept / folder).mkdir(parents=True, exist_ok=True)
        for name, sample in samples.items():
            tensor = torch.from_numpy(sample.T.copy())[None]
            if sample.ndim == 1:
                mel, sound = batch_log_mel(tensor, audio), tensor
            else:
                mel = tensor
                sound = griffin_lim(mel_to_magnitude(mel, audio), audio, _ITERATIONS)
            stem = f"step-{step:07d}-{file_name(name)}"
            picture = spectrogram_png(mel[0].T.numpy())
            (self.kept / "samples" / f"{stem}.png").write_bytes(picture)
            path = self.kept / "sounds" / f"{stem}.wav"
            write_wav(path, [sound[0].numpy()], audio.sample_rate)
        self.publish()

    def publish(self) -> None:
        """Copy what is kept into the output."""
        for folder in _FOLDERS:
            if (self.kept / folder).is_dir():
                shutil.rmtree(self.shown / folder, ignore_errors=True)
                shutil.copytree(self.kept / folder, self.shown / folder)
