"""Audio that libsndfile does not know (m4a, aac, webm, wma, ...), through PyAV.

PyAV's wheel brings FFmpeg's libraries; importing this module loads them.
"""

from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

ERRORS = (av.FFmpegError, OSError, ValueError)
# FFmpeg reads through the file object alone: a playlist in disguise must not make it open others
_OPTIONS = {"protocol_whitelist": "none"}


def blocks(file: BinaryIO) -> Iterator[tuple[NDArray[np.float32], int]]:
    """(samples, channels) and sample rate of the first audio stream, frame by frame.

    Raises ERRORS for damaged files, also where the rate or the channels change on the way;
    yields nothing where there is no audio.
    """
    with av.open(file, "r", options=_OPTIONS) as container:
        if not container.streams.audio:
            return
        to_float = av.AudioResampler(format="fltp")
        first = None
        for frame in container.decode(container.streams.audio[0]):
            # the resampler lets frames through that need no conversion, whatever else is new
            form = frame.sample_rate, frame.layout.nb_channels
            first = first or form
            if form != first:
                raise ValueError("its sample rate or channels change on the way")
            for part in to_float.resample(frame):
                yield part.to_ndarray().T.astype(np.float32, copy=False), part.sample_rate


def duration(file: BinaryIO) -> float | None:
    """Seconds by the header; None where it does not say. Raises ERRORS; ValueError: no audio."""
    with av.open(file, "r", options=_OPTIONS) as container:
        if not container.streams.audio:
            raise ValueError("no audio in it")
        return None if container.duration is None else container.duration / av.time_base
