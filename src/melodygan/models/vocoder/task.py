"""What the tasks of all kinds share: held-out sound, and scores beside the answer of no network."""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melodygan.audio.griffin_lim import griffin_lim, mel_to_magnitude
from melodygan.audio.layout import from_network, to_network
from melodygan.audio.mel import MelConfig
from melodygan.audio.stft import batch_log_mel, stft
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.hears import hearing, require_heard
from melodygan.models.vocoder.start import begin
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.scores.audio import log_magnitude_l1, log_mel_l1, multi_resolution_stft
from melodygan.scores.bootstrap import mean_interval, paired_interval
from melodygan.training.data import Data
from melodygan.training.task import Limit, Task
from melodygan.training.verdict import Claim

Float = NDArray[np.float32]
Pair = tuple[Float, Float]  # a true sound (samples,), and the log-mel that is heard of it
Scores = dict[str, dict[str, Any]]

VALIDATION_SECONDS, VALIDATION_TRACKS = 5, 8  # of each, from its start; tracks at most
TEST_SECONDS = 20
ITERATIONS = 32  # of the Griffin-Lim beside which all are scored


class KindTask(Task):
    """A vocoder in training: the weights that make the best sound of held-out mels are kept.

    network: an untrained one, which is handed out with what training has made of it or of its
    parts. without: vocoders that need no training, the best of which training must beat. A kind's
    task adds networks, optimisers, batches and updates.
    """

    score = "m_stft"
    limits = (
        Limit(
            "validation",
            "contrast",
            0.2,
            2,
            "the sounds are almost flat",
            "lower the learning rate of the vocoder, or use longer crops (frames)",
        ),
    )

    def __init__(self, params: VocoderParams, data: Data, network: nn.Module) -> None:
        self.params, self.data, self.audio = params, data, data.audio
        self.network = network
        self.without = [Vocoder(params, data.audio, copy.deepcopy(network))]
        self.started = begin(network, params, data)
        self.heard = hearing(params.hears, data)
        self._before: float | None = None

    def validate(self) -> dict[str, float]:
        """Scores of sound made from what is heard of validation tracks, with and without a network.

        All against the true sound.
        """
        pairs = self._held_out("validation", VALIDATION_SECONDS)[:VALIDATION_TRACKS]
        vocoder = self.trained()
        made = [vocoder.synthesise(mel) for _, mel in pairs]
        if self._before is None:  # the same at every validation
            self._before = float(np.mean(self._untrained(pairs)["m_stft"]))
        rows = self._scores(pairs, made)
        spreads = [
            (self._mel(of).std(), self._mel(sound).std())
            for of, (sound, _) in zip(made, pairs, strict=True)
        ]
        contrasts = [of / max(true, 1e-6) for of, true in spreads]
        return {key: float(np.mean(values)) for key, values in rows.items()} | {
            "untrained_m_stft": self._before,
            "contrast": float(np.mean(contrasts)),
        }

    def samples(self) -> dict[str, Float]:
        """The beginning of a validation track, and what is made of what is heard of it."""
        sound, mel = self._held_out("validation", VALIDATION_SECONDS)[0]
        return {"original": sound, "rebuilt": self.trained().synthesise(mel)}

    def trained(self) -> Vocoder:
        """The vocoder in its present state."""
        return Vocoder(self.params, self.audio, self.network)

    @torch.no_grad()
    def test(self) -> Scores:
        """Copy synthesis of the first 20 s of test tracks from their true mels; lower is better.

        value: the vocoder's. untrained: that of the best synthesis without training. oracle: 32
        iterations of fast Griffin-Lim on the true magnitude. griffin_lim_32: the same on pinv(mel).
        interval: 90 % interval of the value over tracks, or None for a single one.
        beside_untrained, beside_griffin_lim_32: that beside those on the same tracks
        (`paired_interval`). Where another mel than the true one is heard, `heard_m_stft` is the
        same as `m_stft` of sound made from that one: between the two lies what was lost before the
        vocoder.
        """
        sounds = self._sounds("test", TEST_SECONDS)
        scores = self._synthesis([(sound, self._mel(sound)) for sound in sounds])
        if self.heard:
            pairs = self._held_out("test", TEST_SECONDS)
            scores["heard_m_stft"] = self._synthesis(pairs)["m_stft"]
        return scores

    def claim(self, scores: Scores) -> Claim:
        """What the network adds to its own synthesis, on the way to the true magnitude."""
        m_stft = scores[self.judged]
        return Claim(
            self.judged,
            m_stft["value"],
            m_stft["untrained"],
            "the same synthesis without the network",
            m_stft["oracle"],
            interval=m_stft["beside_untrained"],
        )

    @property
    def judged(self) -> str:
        """The score that the verdict rests on: that of what the vocoder is meant to hear."""
        return "heard_m_stft" if self.heard else "m_stft"

    def _synthesis(self, pairs: list[Pair]) -> Scores:
        """The scores of `test`, of these sounds from these log-mels."""

        def searched(magnitude: Tensor) -> Float:
            return griffin_lim(magnitude, self.audio, ITERATIONS)[0].numpy()

        vocoder = self.trained()
        made = {
            "value": [vocoder.synthesise(mel) for _, mel in pairs],
            "oracle": [
                searched(stft(torch.from_numpy(sound)[None], self.audio).abs())
                for sound, _ in pairs
            ],
            "griffin_lim_32": [
                searched(mel_to_magnitude(to_network(mel), self.audio)) for _, mel in pairs
            ],
        }
        rows = {name: self._scores(pairs, answers) for name, answers in made.items()}
        rows["untrained"] = self._untrained(pairs)
        return {
            key: {name: float(np.mean(of[key])) for name, of in rows.items()}
            | {"interval": mean_interval(values, self.data.seed)}
            | {
                f"beside_{name}": paired_interval(values, rows[name][key], self.data.seed)
                for name in ("untrained", "griffin_lim_32")
            }
            for key, values in rows["value"].items()
        }

    def _untrained(self, pairs: list[Pair]) -> dict[str, list[float]]:
        """Scores of the best of the answers `without` training, of each sound."""
        answers = [[v.synthesise(mel) for _, mel in pairs] for v in self.without]
        rows = (self._scores(pairs, made) for made in answers)
        return min(rows, key=lambda of: float(np.mean(of["m_stft"])))

    def _sounds(self, split: str, seconds: int) -> list[Float]:
        hop = self.audio.hop_length
        heads = self.data.clean(split).heads(seconds * self.audio.sample_rate // hop * hop)
        return [sound[: len(sound) // hop * hop] for sound in heads]

    def _held_out(self, split: str, seconds: int) -> list[Pair]:
        """The beginnings of the tracks of a split, with what is heard of them."""
        pairs = [(sound, self._mel(sound)) for sound in self._sounds(split, seconds)]
        if not self.heard:
            return pairs
        label = {track.track: track.label for track in self.data.features.tracks(split)}
        labels = [label[name] for name in self.data.clean(split).scored]
        heard = [
            (sound, made)
            for (sound, mel), of in zip(pairs, labels, strict=True)
            if (made := self.heard(mel, of)) is not None
        ]
        require_heard(heard, split)
        return heard

    def _mel(self, sound: Float) -> Float:
        return from_network(batch_log_mel(torch.from_numpy(sound)[None], self.audio))[0]

    def _scores(self, pairs: list[Pair], made: list[Float]) -> dict[str, list[float]]:
        rows = [scores_of(a, b, self.audio) for (a, _), b in zip(pairs, made, strict=True)]
        return {key: [row[key] for row in rows] for key in rows[0]}


class IdleTask(KindTask):
    """A kind that learns nothing: it is written and scored as it is."""

    def __init__(self, params: VocoderParams, data: Data, network: nn.Module) -> None:
        super().__init__(params, data, network)
        self.networks, self.optimisers = {}, {}
        self.idle = f"nothing to train for vocoder.kind {params.kind}"

    def batch(self, rng: np.random.Generator) -> Any:
        """Never called."""
        raise NotImplementedError

    def updates(self, batch: Any, step: int) -> Any:
        """Never called."""
        raise NotImplementedError


def scores_of(sound: Float, made: Float, audio: MelConfig) -> dict[str, float]:
    """How far a sound made from a mel is from the true one, both (samples,)."""
    a, b = (torch.from_numpy(s)[None] for s in (sound, made))
    magnitudes = [stft(s, audio).abs() for s in (a, b)]
    return {
        "log_mel_l1": float(log_mel_l1(batch_log_mel(b, audio), batch_log_mel(a, audio))),
        "log_magnitude_l1": float(
            log_magnitude_l1(magnitudes[1].clamp_min(1e-5).log(), magnitudes[0])
        ),
        "m_stft": float(multi_resolution_stft(a, b)),
    }
