"""Audio that libsndfile does not know (m4a, aac, webm, wma, ...), through PyAV.

PyAV's wheel brings FFmpeg's libraries; importing this module loads them.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

NOTHING = "no audio in it"
ERRORS = (av.FFmpegError, OSError, ValueError)
# FFmpeg reads through the file object alone: a playlist in disguise must not make it open others
_OPTIONS = {"protocol_whitelist": "none"}
# where a file of so many channels does not name them, the fourth is the subwoofer's (ITU-R BS.775)
_UNNAMED = (6, 7, 8)


class Decoding:
    """The first audio stream of a file.

    seconds: by the header; None where it does not say. exact: whether the samples are those that
    were stored, not a lossy coder's.
    """

    def __init__(self, file: BinaryIO, to_the_end: bool = False) -> None:
        """to_the_end: take a WAV's samples up to the end of the file, whatever its header says.

        Raises ERRORS; ValueError where there is no audio.
        """
        options = _OPTIONS | ({"ignore_length": "1"} if to_the_end else {})
        self._container = av.open(file, "r", options=options)
        if not self._container.streams.audio:
            self._container.close()
            raise ValueError(NOTHING)
        duration = self._container.duration
        self.seconds = None if duration is None else duration / av.time_base
        self._stream = self._container.streams.audio[0]
        context = self._stream.codec_context  # None where FFmpeg has no decoder
        self.exact = bool(context and context.codec.lossless)

    def blocks(self) -> Iterator[tuple[NDArray[np.float32], int]]:
        """(samples, channels) and sample rate, frame by frame, without the subwoofer's channel.

        Raises ERRORS for damaged files, also where the rate or the channels change on the way.
        """
        with self._container:
            to_float = av.AudioResampler(format="fltp")
            first = None
            for frame in self._container.decode(self._stream):
                # the resampler lets frames through that need no conversion, whatever else is new
                form = frame.sample_rate, frame.layout.nb_channels
                first = first or form
                if form != first:
                    raise ValueError("its sample rate or channels change on the way")
                kept = _full_range(frame.layout)
                for part in to_float.resample(frame):
                    samples = part.to_ndarray().T.astype(np.float32, copy=False)
                    yield samples if kept is None else samples[:, kept], part.sample_rate


def _full_range(layout: Any) -> list[int] | None:
    """The channels that are no subwoofer's; None for all of them."""
    names = [channel.name for channel in layout.channels]
    if len(names) in _UNNAMED and set(names) == {"NONE"}:
        names[3] = "LFE"
    kept = [place for place, name in enumerate(names) if not name.startswith("LFE")]
    return kept if 0 < len(kept) < len(names) else None
