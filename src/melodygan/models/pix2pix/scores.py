"""How near a made stem comes to the true one: as log-mel, and as the mask that it implies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from melodygan.audio.layout import from_network
from melodygan.audio.mel import MelConfig, mel_filterbank
from melodygan.audio.pcm import from_int16
from melodygan.audio.stft import batch_log_mel, istft, stft
from melodygan.dataset.clean_audio import TRACKS
from melodygan.dataset.feature_set import FeatureSet
from melodygan.models.pix2pix.model import SOURCE, TrainedPix2Pix
from melodygan.models.pix2pix.truth import true_stem
from melodygan.scores.bootstrap import mean_interval, paired_interval
from melodygan.separation.si_sdr import si_sdr
from melodygan.training.data import Data

Float = NDArray[np.float32]
Scores = dict[str, Any]
Pair = tuple[Float, Float]

SECONDS = 20  # of each track, from its start
BASELINES = ("identity", "average_mask")  # what needs no model


def pairs(features: FeatureSet, split: str, stem: str, frames: int) -> Iterator[Pair]:
    """Log-mel of the beginnings of mixes and of the same tracks' stems, (at most frames, n_mels).

    Of at most 64 tracks of a split. Raises UserError where there is none.
    """
    mixes, stems = (features.tracks(split, stem=name)[:TRACKS] for name in (SOURCE, stem))
    for mix, of in zip(mixes, stems, strict=True):
        yield np.array(mix.mel[:frames]), np.array(of.mel[:frames])


class AverageMask:
    """What each band passes, the same at all times and in all music: the best that there is.

    By the training pairs: `offset` (n_mels,) in ln units has the least L1 of log-mel, `gain`
    (n_mels,) from 0 to 1 the least squared error of magnitude.
    """

    def __init__(self, training: Sequence[Pair]) -> None:
        mix, stem = (np.concatenate(mels) for mels in zip(*training, strict=True))
        self.offset = np.median(stem - mix, axis=0)
        passed = np.exp(stem + mix, dtype=np.float64).sum(0) / np.exp(2.0 * mix).sum(0)
        self.gain = np.minimum(passed, 1).astype(np.float32)


def masked(sound: Float, gain: Float, audio: MelConfig) -> Float:
    """Sound (frames * hop_length,) with `gain` (frames, n_mels), linear, on its bands."""
    bins = torch.from_numpy((gain @ _spread(audio)).T)
    return istft(stft(torch.from_numpy(sound)[None], audio) * bins, audio)[0].numpy()


def _spread(audio: MelConfig) -> Float:
    """Shares of the bands in each bin, (n_mels, n_bins); outside of all bands as in the nearest."""
    filters = mel_filterbank(audio)
    heard = np.flatnonzero(filters.any(0))
    nearest = np.abs(np.arange(audio.n_bins)[:, None] - heard).argmin(1)
    filters = filters[:, heard[nearest]]
    return np.asarray(filters / filters.sum(0), np.float32)


@dataclass(frozen=True)
class Song:
    """A test track's beginning, each (samples,). reference: the true stem where it is known, else
    the separated one, which then has no error.
    """

    mix: Float
    separated: Float
    reference: Float


class StemScores:
    """Test tracks, and the answers to compare a model with."""

    def __init__(self, data: Data, task: str) -> None:
        self.audio, self.seed = data.audio, data.seed
        self.true_tracks = 0
        self.songs = list(self._songs(data, task))
        frames = round(SECONDS * data.audio.frame_rate)
        self.average = AverageMask(list(pairs(data.features, "train", task, frames)))

    def _songs(self, data: Data, task: str) -> Iterator[Song]:
        hop, truth = data.audio.hop_length, data.declared("data/raw/truth")
        longest = SECONDS * data.audio.sample_rate
        mixes, stems = (data.clean("test", stem) for stem in (SOURCE, task))
        tracks = zip(mixes.rows, mixes.tracks, stems.tracks, strict=True)
        for row, mix, stem in islice(tracks, TRACKS):
            true = true_stem(truth, row, from_int16(mix), task, data.audio.sample_rate)
            self.true_tracks += true is not None
            size = min(len(mix), longest) // hop * hop
            parts = (from_int16(mix[:size]), from_int16(stem[:size]))
            yield Song(*parts, parts[1] if true is None else true[:size])

    def of(self, model: TrainedPix2Pix) -> Scores:
        """All scores as means over tracks.

        log_mel_l1: distance to the reference in ln units. si_sdr_db: SI-SDR to the reference of
        the mix through the mask that an answer implies (exp of what it adds to the mix, at most
        1), on tracks whose reference is not silent. value: the model's. identity: the mix's own.
        average_mask: see AverageMask. separator: the separated stem's, as it is; of SI-SDR only
        where all true stems are known. oracle: of the mask that the reference itself implies.
        interval: 90 % interval of the value over tracks, or None for a single one.
        beside_identity, beside_average_mask: that beside those on the same tracks
        (`paired_interval`). tracks, true_tracks: how many were scored, and how many by their true
        stem.
        """
        rows = [self._song(song, model) for song in self.songs]
        scores: Scores = {"tracks": len(rows), "true_tracks": self.true_tracks}
        scores["log_mel_l1"] = self._summary([errors for errors, _ in rows])
        if ratios := [of for _, of in rows if of]:
            scores["si_sdr_db"] = self._summary(ratios)
        return scores

    def _song(self, song: Song, model: TrainedPix2Pix) -> tuple[dict[str, float], dict[str, float]]:
        """Log-mel L1 and SI-SDR of each answer; nothing for the latter where all is silent."""
        mix, separated, true = (
            from_network(batch_log_mel(torch.from_numpy(sound)[None], self.audio))[0]
            for sound in (song.mix, song.separated, song.reference)
        )
        made = model.convert(mix, *model.directions[0])
        mels = {
            "value": made,
            "identity": mix,
            "average_mask": mix + self.average.offset,
            "separator": separated,
        }
        errors = {name: float(np.abs(mel - true).mean()) for name, mel in mels.items()}
        if not song.reference.any():
            return errors, {}
        gains = {
            "value": np.exp(np.minimum(made - mix, 0)),
            "average_mask": np.broadcast_to(self.average.gain, mix.shape),
            "oracle": np.exp(np.minimum(true - mix, 0)),
        }
        sounds = {name: masked(song.mix, gain, self.audio) for name, gain in gains.items()}
        sounds["identity"] = song.mix
        if self.true_tracks == len(self.songs):
            sounds["separator"] = song.separated
        return errors, {name: si_sdr(sound, song.reference) for name, sound in sounds.items()}

    def _summary(self, rows: Sequence[dict[str, float]]) -> Scores:
        values = {name: [row[name] for row in rows] for name in rows[0]}
        means: Scores = {name: float(np.mean(of)) for name, of in values.items()}
        beside = {
            f"beside_{name}": paired_interval(values["value"], values[name], self.seed)
            for name in BASELINES
        }
        return means | {"interval": mean_interval(values["value"], self.seed)} | beside
