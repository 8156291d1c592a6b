"""Vocals and instrumental of a mix: audio-separator (the UVR models) behind one method."""

import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from melodygan.audio.pieces import Float, in_pieces
from melodygan.pipeline.errors import UserError
from melodygan.separation.model_folder import DEMO, model_file, provide, unusable
from melodygan.separation.quiet import ffmpeg_on_path, imported_when_used, one_thread, quiet

SAMPLE_RATE = 44100  # Hz, of all UVR models
# a piece in samples: audio-separator needs some 3 MB of memory for each second of it
LONGEST = 60 * SAMPLE_RATE
BEFORE, AFTER, FADE = 4 * SAMPLE_RATE, 2 * SAMPLE_RATE, SAMPLE_RATE // 10
# the library's own settings, but without shifts: it draws those from an unseeded generator
DEMUCS = {"segment_size": "Default", "shifts": 0, "overlap": 0.25, "segments_enabled": True}


class StemSeparator:
    """One loaded separation model. Costs seconds to make: make one per process, and share it not.

    model: as in `separate.model`, `demo` or a UVR model's file name.
    Raises UserError when the model cannot be found, fetched or loaded.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        provide(model)
        folder, file = model_file(model)
        with quiet(), ffmpeg_on_path(), one_thread(), imported_when_used("onnx2torch"):
            from audio_separator.separator import Separator

            self._library = Separator(
                log_level=50,  # nothing but what also is an exception
                model_file_dir=str(folder),
                output_format="WAV",
                output_single_stem="Vocals",
                sample_rate=SAMPLE_RATE,
                use_soundfile=True,  # float samples, and no ffmpeg in the result
                demucs_params=DEMUCS,
            )
            # it would turn stems down that are louder than this, without saying by how much
            self._library.normalization_threshold = math.inf
            try:
                self._library.load_model(file)
            except (OSError, RuntimeError, ValueError) as error:
                if model == DEMO:
                    raise  # it is shipped: no setting can mend that
                raise unusable(model, error) from None

    def separate(self, mix: Float) -> dict[str, Float]:
        """Split a mix, (samples, 2) at 44,100 Hz, into `vocals` and `instrumental` of that shape.

        The instrumental is the mix minus the vocals, so that the stems sum to the mix.
        Raises UserError if the model has no stem of that name.
        """
        vocals = np.concatenate([*self.vocals(lambda start, stop: mix[start:stop], len(mix))])
        return {"vocals": vocals, "instrumental": mix - vocals}

    def vocals(self, read: Callable[[int, int], Float], samples: int) -> Iterator[Float]:
        """Yield the vocals of a mix of any length, in order, in blocks of about a minute.

        read: `read(start, stop)` gives (stop - start, 2) samples of the mix at 44,100 Hz.
        """
        grid = self._grid()
        longest, before = LONGEST // grid * grid, -(-BEFORE // grid) * grid
        return in_pieces(read, samples, self._vocals, longest, (before, AFTER), FADE)

    def _grid(self) -> int:
        """Samples between the segments that the model sees.

        A model's result changes with the place of a sample in its segment. Pieces that begin where
        a segment of the whole track does keep the MDX models' segments as they are, so that a piece
        differs from the whole by less than -60 dB; without that it is -20 to -30 dB, as between two
        overlapping segments.
        """
        from audio_separator.separator.architectures.mdx_separator import MDXSeparator

        model = self._library.model_instance
        if not isinstance(model, MDXSeparator):
            return 1
        return int((1 - model.overlap) * model.hop_length * (model.segment_size - 1))

    def _vocals(self, mix: Float) -> Float:
        peak = np.abs(mix).max()
        if peak == 0:
            return mix.copy()
        # MDX models multiply their output by the peak of their input (audio-separator 0.47.1)
        vocals: Float = self._run(mix / peak) * peak
        return vocals

    def _run(self, mix: Float) -> Float:
        with tempfile.TemporaryDirectory() as folder, quiet():
            source = Path(folder) / "mix.wav"
            soundfile.write(source, mix, SAMPLE_RATE, subtype="FLOAT")
            instance = self._library.model_instance
            self._library.output_dir = instance.output_dir = folder
            if instance.primary_stem_name == "Vocals":
                # takes the other stem as made already: it would cost a third of the time
                instance.secondary_source = mix
            self._library.separate(str(source), {"Vocals": "vocals"})
            result = Path(folder) / "vocals.wav"
            if not result.exists():
                raise UserError(
                    f"separate.model: `{self._model}` gives no vocals: choose a model that does"
                )
            vocals, _ = soundfile.read(result, dtype="float32")
        # some architectures return some samples more or fewer than they got
        missing = max(0, len(mix) - len(vocals))
        return np.pad(vocals[: len(mix)], ((0, missing), (0, 0)))
