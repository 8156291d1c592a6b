"""What of a song is still there after a conversion: its notes, its onsets, its tempo.

Each figure is 1 for the song itself and about 0 for an unrelated song or for the song's own frames
in random order, whatever the timbre. The means over time are removed, without which any two songs,
and even a constant, look alike. All from the log-mel with numpy and torch, so that validation
during training can have it; onset envelope and tempo follow librosa's definitions.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.scores.audio import chroma
from melodygan.scores.embedding import DYNAMIC_RANGE

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]

BPM = (30.0, 300.0)  # tempi that are looked for
USUAL_BPM = 120.0
TEMPO_TOLERANCE = 0.04  # of the tempo, as in Gouyon et al. 2006
BEAT = 0.1  # least autocorrelation of onsets that counts as a beat; shuffled frames stay below .08


@dataclass(frozen=True)
class Content:
    """Description of one track.

    pitch: (frames, 12), chroma of unit length in each frame, 0 in silence. onsets: (frames - 1,).
    """

    pitch: Matrix
    onsets: Matrix
    frame_rate: float

    @staticmethod
    def of(log_mel: Float, config: MelConfig) -> "Content":
        """Describe a log-mel (frames, n_mels) in ln units."""
        mel = torch.from_numpy(np.ascontiguousarray(log_mel.T))
        notes = chroma(mel[None], config)[0].T.double().numpy()
        length = np.linalg.norm(notes, axis=1, keepdims=True)
        return Content(
            notes / np.maximum(length, 1e-12), onset_envelope(log_mel), config.frame_rate
        )

    def likeness(self, other: "Content") -> dict[str, float]:
        """How much of this track is in another one, over the length that they share.

        chroma: cosine of the pitch classes' deviations from their mean over time, in [-1, 1].
        onset_correlation: of the onset envelopes, in [-1, 1]. tempo_agreement: 1 if the tempi
        differ by at most 4 % or neither has a beat, else 0. A track without any change (silence, a
        constant) has neither notes nor onsets to keep: 0 for the first two.
        """
        frames = min(len(self.pitch), len(other.pitch))
        mine, its = self._start(frames), other._start(frames)
        tempi = (mine.tempo(), its.tempo())
        same = max(tempi) <= (1 + TEMPO_TOLERANCE) * min(tempi)
        return {
            "chroma": _cosine(mine.pitch - mine.pitch.mean(0), its.pitch - its.pitch.mean(0)),
            "onset_correlation": _cosine(
                mine.onsets - mine.onsets.mean(), its.onsets - its.onsets.mean()
            ),
            "tempo_agreement": float(same),
        }

    def tempo(self) -> float:
        """Beats per minute; 0 without a beat.

        The strongest lag of the onset envelope's autocorrelation, weighted towards 120 BPM by a
        Gaussian of one octave (Ellis 2007, "Beat tracking by dynamic programming").
        """
        moving = self.onsets - self.onsets.mean()
        spectrum = np.abs(np.fft.rfft(moving, 2 * len(moving))) ** 2
        correlation = np.fft.irfft(spectrum)[: len(moving)]
        if len(moving) < 2 or correlation[0] <= 1e-12:
            return 0.0
        bpm = 60 * self.frame_rate / np.arange(1, len(moving))
        weight = np.exp(-0.5 * np.log2(bpm / USUAL_BPM) ** 2) * (bpm >= BPM[0]) * (bpm <= BPM[1])
        best = int((correlation[1:] * weight).argmax())
        beaten = correlation[1 + best] >= BEAT * correlation[0]
        return float(bpm[best]) if beaten else 0.0

    def _start(self, frames: int) -> "Content":
        return Content(self.pitch[:frames], self.onsets[: frames - 1], self.frame_rate)


def onset_envelope(log_mel: Float) -> Matrix:
    """Mean rise of all bands from each frame to the next: (frames, n_mels) -> (frames - 1,).

    What lies 60 dB below the track's maximum is silence and does not rise.
    """
    heard = np.maximum(log_mel.astype(np.float64), log_mel.max() - DYNAMIC_RANGE)
    return np.maximum(np.diff(heard, axis=0), 0).mean(1)


def _cosine(a: Matrix, b: Matrix) -> float:
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / scale if scale > 1e-9 else 0.0
