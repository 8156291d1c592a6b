"""audio-separator as a guest: no chatter, no lasting settings, one thread, a borrowed ffmpeg."""

import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
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


@contextmanager
def imported_when_used(name: str) -> Iterator[None]:
    """Within the block `import name` only binds the module; its first use, at any time, runs it.

    audio-separator imports onnx2torch, and with it torchvision and torch's compiler, for models
    that are to run with another segment size than their own, which ours never are.
    """
    finder = _Deferring(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Deferring(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == self.name else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
