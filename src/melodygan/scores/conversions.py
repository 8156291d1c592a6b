"""Scores of conversions between labels: has the style changed, is the song still there?

Every figure stands beside those of answers that anyone can give: the source itself (`identity`),
its frames in random order (`chance`), real tracks of the target label (`random_target`), and two
conversions that need no training (`equaliser`, `transport`).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.mel import MelConfig
from melodygan.scores.bootstrap import Interval, covered, track_weights
from melodygan.scores.content import Content
from melodygan.scores.style import StyleClassifier, cut_clips, movement, timbre
from melodygan.scores.training_free import Equaliser, Transport

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
Direction = tuple[str, str]  # source label, target label
Convert = Callable[[Float, str, str], Float]
Answer = dict[str, Matrix]  # by score, one value per track, or per draw of tracks
Scores = dict[str, dict[str, dict[str, Any]]]  # by direction, score and anchor

CLIP = 128  # frames of a clip that the classifiers judge
HOP = 64  # frames between clips
TRAIN_CLIPS = 512  # per label, at most
TRACKS = 8  # held-out tracks per label, at most
SECONDS = 30  # of each, from its start
STYLES = {"style_probability": timbre, "style_blind": movement}
SHORTFALLS = {"shortfall": "style_probability", "shortfall_blind": "style_blind"}
BOTH = "shortfall_both"  # the mean of these two
MEAN = "mean"  # of all directions
BASELINES = ("identity", "equaliser", "transport")  # what a verdict may rest on
CONTENT = ("chroma", "onset_correlation", "tempo_agreement")
LEAST_CONTRAST = 0.1  # of style, between real tracks of the two labels


class ConversionScores:
    """Judges conversions of held-out tracks between two or more labels, in all directions.

    style_probability: how much a track sounds like the target label, by a classifier of timbre;
    of more than two labels it has to be told from all others;
    style_blind: the same by one that does not hear equaliser and level (scores/style.py), each
    with its `accuracy` on the held-out tracks. chroma, onset_correlation, tempo_agreement: what is
    left of the song (scores/content.py). All are better when higher, and random_target has the
    style and identity the content that a perfect conversion would have.

    shortfall and shortfall_blind: what style and content together miss, in [0, 2], better when
    lower. Style counts from 0 for the source to 1 for real tracks of the target; content, the mean
    of chroma and onset_correlation, from 0 for unrelated songs to 1 for the source. So identity and
    random_target both miss exactly 1. Where a classifier cannot tell the held-out tracks' labels
    apart, no style is granted, and nothing can miss less than 1. shortfall_both: the mean of the
    two, and the score to choose by, since an equaliser alone has a good part of the first.
    """

    def __init__(
        self,
        train: Mapping[str, Sequence[Float]],
        held_out: Mapping[str, Sequence[Float]],
        audio: MelConfig,
        seed: int,
    ) -> None:
        """Log-mels (frames, n_mels) of whole training and held-out tracks by label.

        The classifiers and the training-free conversions are fitted to the training tracks. All
        anchors are computed here, once; `scores` then only judges the conversions. Held-out tracks
        shorter than a clip are left out.
        Raises UserError if no track of a label is as long as a clip.
        """
        self.audio, self.seed = audio, seed
        self.labels = sorted(train)
        clips = {label: cut_clips(train[label], CLIP, HOP, TRAIN_CLIPS) for label in self.labels}
        frames = round(SECONDS * audio.frame_rate)
        long_enough = {
            label: [mel for mel in held_out[label] if len(mel) >= CLIP] for label in self.labels
        }
        self.tracks = {
            label: [np.array(mel[:frames]) for mel in mels[:TRACKS]]
            for label, mels in long_enough.items()
        }
        self.contents = {
            label: [Content.of(mel, audio) for mel in tracks]
            for label, tracks in self.tracks.items()
        }
        self.classifiers = {
            score: StyleClassifier(clips, description) for score, description in STYLES.items()
        }
        held = {label: cut_clips(tracks, CLIP, HOP) for label, tracks in self.tracks.items()}
        self.accuracy = {
            score: classifier.accuracy(held) for score, classifier in self.classifiers.items()
        }
        rng = np.random.default_rng(seed)
        self.weights = {label: track_weights(len(of), rng) for label, of in self.tracks.items()}
        self.anchors = {
            direction: self._anchors(direction, clips) for direction in permutations(self.labels, 2)
        }

    def scores(self, convert: Convert) -> Scores:
        """Scores of `convert(log_mel, source, target)` by direction, such as "pop_to_swing"."""
        return self.judge(
            {
                (source, target): [convert(mel, source, target) for mel in self.tracks[source]]
                for source, target in self.anchors
            }
        )

    def judge(self, converted: Mapping[Direction, Sequence[Float]]) -> Scores:
        """Scores of log-mels that are the conversions of `self.tracks[source]`, in this order.

        By direction, and for "mean" of these, and score: `value`, the five anchors, and `interval`,
        the 90 % interval of the value over the choice of held-out tracks, or None for a single
        track. The shortfalls have `beside_identity`, `beside_equaliser` and `beside_transport` too:
        the interval of the value beside such an answer for the same tracks (`paired_interval`).
        """
        if not converted:
            return {}
        by_direction = {}
        for direction, mels in converted.items():
            answers = {"value": self._answer(direction, mels), **self.anchors[direction]}
            means = self._means(direction, answers)
            for score, style in SHORTFALLS.items():
                for of in means.values():
                    of[score] = _shortfall(style, of, means)
            for of in means.values():
                of[BOTH] = np.mean([of[score] for score in SHORTFALLS], axis=0)
            by_direction["_to_".join(direction)] = means
        every = list(by_direction.values())
        by_direction[MEAN] = {
            key: {score: np.mean([of[key][score] for of in every], axis=0) for score in scores}
            for key, scores in every[0].items()
        }
        known = min(len(mels) for mels in converted.values()) > 1
        return {name: self._table(means, known) for name, means in by_direction.items()}

    def _table(self, means: Mapping[str, Answer], known: bool) -> dict[str, dict[str, Any]]:
        """By score: the value and the anchors of `_means`, accuracies, intervals where `known`."""
        return {
            score: {
                **{key: float(of[score][0]) for key, of in means.items()},
                "interval": covered(means["value"][score][1:]) if known else None,
                **({"accuracy": self.accuracy[score]} if score in STYLES else {}),
                **{
                    f"beside_{key}": _beside(means["value"][score], means[key][score], known)
                    for key in BASELINES
                    if score in (*SHORTFALLS, BOTH)
                },
            }
            for score in (*STYLES, *CONTENT, *SHORTFALLS, BOTH)
        }

    def _anchors(self, direction: Direction, clips: Mapping[str, Float]) -> dict[str, Answer]:
        source, target = direction
        rng = np.random.default_rng(self.seed)
        tracks = self.tracks[source]
        frames = {label: of.reshape(-1, of.shape[2]) for label, of in clips.items()}
        equaliser = Equaliser(frames[target])
        transport = Transport(frames[source], frames[target])
        return {
            "identity": self._answer(direction, tracks),
            "chance": self._answer(direction, [rng.permutation(mel) for mel in tracks]),
            "random_target": self._real(direction),
            "equaliser": self._answer(direction, [equaliser(mel) for mel in tracks]),
            "transport": self._answer(direction, [transport(mel) for mel in tracks]),
        }

    def _answer(self, direction: Direction, mels: Sequence[Float]) -> Answer:
        """What each of `mels` scores as the conversion of the source track of its place."""
        source, target = direction
        likeness = [
            true.likeness(Content.of(mel, self.audio))
            for true, mel in zip(self.contents[source], mels, strict=True)
        ]
        return self._style(mels, target) | {
            score: np.array([of[score] for of in likeness]) for score in CONTENT
        }

    def _real(self, direction: Direction) -> Answer:
        """All real tracks of the target: style of each, and content in each source track."""
        source, target = direction
        pairs = [
            [true.likeness(other) for other in self.contents[target]]
            for true in self.contents[source]
        ]
        return self._style(self.tracks[target], target) | {
            score: np.array([np.mean([pair[score] for pair in of]) for of in pairs])
            for score in CONTENT
        }

    def _style(self, mels: Sequence[Float], target: str) -> Answer:
        return {
            score: np.array(
                [classifier.probability(cut_clips([mel], CLIP, HOP), target) for mel in mels]
            )
            for score, classifier in self.classifiers.items()
        }

    def _means(self, direction: Direction, answers: Mapping[str, Answer]) -> dict[str, Answer]:
        """Mean over tracks of every score, then the means of a Bayesian bootstrap: (1 + DRAWS,).

        The bootstrap gives tracks the same weights in every answer and in all directions.
        """
        sources, targets = (self.weights[label] for label in direction)
        real = answers["random_target"]
        return {
            key: {
                score: (targets if answer is real and score in STYLES else sources) @ values
                for score, values in answer.items()
            }
            for key, answer in answers.items()
        }


def _shortfall(style: str, answer: Answer, answers: Mapping[str, Answer]) -> Matrix:
    """What an answer's means miss of the target's style and the source's content; see the class."""
    worst, best = answers["identity"][style], answers["random_target"][style]
    gained = (answer[style] - worst) / np.maximum(best - worst, LEAST_CONTRAST)
    gained = np.where(best - worst < LEAST_CONTRAST, 0.0, gained)
    chance = _kept(answers["random_target"])
    kept = (_kept(answer) - chance) / np.maximum(1 - chance, 1e-6)  # 0: all tracks are one song
    return 2 - np.clip(gained, 0, 1) - np.clip(kept, 0, 1)


def _beside(drawn: Matrix, others: Matrix, known: bool) -> Interval:
    """Interval of the difference of two scores of the same tracks, moved by the other's value."""
    if not known:
        return None
    return [float(others[0]) + edge for edge in covered((drawn - others)[1:])]


def _kept(answer: Answer) -> Matrix:
    return (answer["chroma"] + answer["onset_correlation"]) / 2
