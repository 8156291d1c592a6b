"""audio-separator as a guest: no chatter, no lasting settings, one thread, a borrowed ffmpeg."""

import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any


@contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and warnings off the terminal, and this process's settings as they were.

    The library replaces the warning filters, lets AUDIO_SEPARATOR_MODEL_DIR override its caller,
    and draws bars of its own. Errors are exceptions and pass.
    """
    kept = os.environ.pop("AUDIO_SEPARATOR_MODEL_DIR", None)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        if kept is not None:
            os.environ["AUDIO_SEPARATOR_MODEL_DIR"] = kept


@contextmanager
def ffmpeg_on_path() -> Iterator[None]:
    """Put imageio-ffmpeg's program first on PATH under the name `ffmpeg`.

    audio-separator asks for it when it starts, although it then reads and writes WAV without it.
    """
    import imageio_ffmpeg

    kept = os.environ["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
        os.environ["PATH"] = folder + os.pathsep + kept
        try:
            yield
        finally:
            os.environ["PATH"] = kept


@contextmanager
def one_thread() -> Iterator[None]:
    """Make onnxruntime sessions with one thread: audio-separator leaves them the default.

    By default they take all cores, which workers side by side do not have, and the last bits of
    their results depend on how many those are.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = (
        "1"  # else it leaves an id of the device in the home folder
    )
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    original = onnxruntime.SessionOptions

    def options() -> Any:
        made = original()
        made.intra_op_num_threads = 1
        return made

    onnxruntime.SessionOptions = options
    try:
        yield
    finally:
        onnxruntime.SessionOptions = original
