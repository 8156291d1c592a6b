"""The scores of one generated set, each beside the anchors that give it meaning."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError
from melodygan.pipeline.threads import side_by_side
from melodygan.scores import distances
from melodygan.scores.damage import shuffled
from melodygan.scores.embedding import Embedding, describe
from melodygan.scores.intervals import Compare, beside, draws, interval_of
from melodygan.scores.order import OrderJudge
from melodygan.scores.rows import Clips, Rows, anywhere, independent, regular
from melodygan.scores.time_embedding import describe_time

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
Hear = Callable[[Float], Matrix]
Anchors = Callable[[], dict[str, Clips]]
Scores = dict[str, dict[str, Any]]

CLIPS = 256  # clips per compared set, at most, spread evenly over the tracks
TRAIN_CLIPS = 4096  # training clips among which a copied one is looked for, at most
ORDER_CLIPS = 512  # training clips that the judge of order learns from, at most
OVERLAP = 4  # a clip starts every 1 / OVERLAP of its length
SCALE_CLIPS = 64  # training clips that set the scale of a further embedding, which may be slow
COLUMN = 8  # frames; what a VQ-VAE's code spans


class Measure:
    """A score: what it hears of clips, how it compares that, and with what.

    hear: clips (clips, frames, n_mels) -> (clips, dimensions) or (clips,). anchors: makes the
    clips that stand in the generated ones' place, when they are first needed.
    """

    def __init__(self, hear: Hear, compare: Compare, reference: Clips, anchors: Anchors) -> None:
        self.hear, self.compare, self._anchors = hear, compare, anchors
        self.reference = reference.rows(hear)

    @cached_property
    def anchors(self) -> dict[str, Rows]:
        """What the score hears in its anchors."""
        return {name: clips.rows(self.hear) for name, clips in self._anchors().items()}

    def value(self, clips: Rows) -> float:
        """The score alone."""
        ones = np.ones((1, clips.tracks)), np.ones((1, self.reference.tracks))
        return float(self.compare(clips, self.reference, *ones)[0])

    def score(self, clips: Rows, seed: int) -> dict[str, Any]:
        """`value` and `interval`, and the same of the anchors (see RealSets.scores)."""
        result: dict[str, Any] = {name: self.value(rows) for name, rows in self.anchors.items()}
        judged = {"value": clips} | {name: self.anchors[name] for name in ("floor", "shuffled")}
        drawn = {name: self.draws(rows, seed) for name, rows in judged.items()}
        known = self.reference.tracks > 1
        for name, of in drawn.items():
            result[name] = float(of[0])
            key = "interval" if name == "value" else f"{name}_interval"
            result[key] = interval_of(of) if known else None
        between = beside(drawn["value"], drawn["shuffled"]) if known else None
        return result | {"beside_shuffled": between}

    def draws(self, clips: Rows, seed: int) -> Matrix:
        """The score and its draws, to be compared with those of other clips of the same tracks."""
        return draws(self.compare, clips, self.reference, seed)


class RealSets:
    """Real tracks to compare generated clips with; all scores of `scores`.

    train, held_out: log-mel of tracks, (frames, n_mels) each. Distances are to held-out clips, so
    that a generator that copies the training data scores no better than the floor, which is the
    training data itself. `through`, (clips, frames, n_mels) -> the same shape: what the generated
    clips have gone through that is not the judged model's work (decoder, vocoder); anchors and
    the memory of the training data go through it too. Sets of equal size (at most `count`) are
    compared, because the Frechet distance depends on it. further: embeddings by the name of their
    kernel distance, beside the project's own.
    """

    def __init__(
        self,
        train: Sequence[Float],
        held_out: Sequence[Float],
        frames: int,
        seed: int,
        through: Callable[[Float], Float] | None = None,
        count: int = CLIPS,
        further: Mapping[str, Hear] | None = None,
    ) -> None:
        self.seed = seed
        self._through = through or (lambda clips: clips)
        hop = max(1, frames // OVERLAP)
        rng = np.random.default_rng(seed)
        self._train = regular(train, frames, hop, TRAIN_CLIPS)
        held = regular(held_out, frames, hop, CLIPS)
        self.count = min(len(self._train), len(held), count)
        if self.count < 2:
            raise UserError(
                "too few clips for set distances: add training and held-out tracks, or raise "
                "generate.samples in params.yaml"
            )
        self.held_out = held.take(_some(len(held), self.count, rng))
        self.tracks = int(self.held_out.track.max()) + 1
        self.spread = spread(self.held_out.log_mel)
        self._floor = self._train.take(_some(len(self._train), self.count, rng))
        self._source = anywhere(train, frames, self.count, rng)
        self._noise = independent(_noise(self._train.log_mel, self.count, rng))
        others: dict[str, Hear] = {"time_distance": describe_time, **(further or {})}
        kernel, frechet = distances.kernel_distance, distances.frechet_distance
        self._makers: dict[str, Callable[[], Measure]] = {
            "kernel_distance": lambda: self._distance(self._embed, kernel),
            "frechet_distance": lambda: self._distance(self._embed, frechet),
            **{name: partial(self._other_distance, hear) for name, hear in others.items()},
            "order_auc": self._order,
            "memorisation": self._memory,
        }
        self._measures: dict[str, Measure] = {}

    def scores(self, generated: Float) -> Scores:
        """Scores of generated clips (clips, frames, n_mels); uses the first `count` of them.

        Each has `value` and four anchors, sets in the generated one's place: `floor` (real
        clips), `copies` (what a generator that repeats its training data would make, cut
        anywhere), `shuffled` (the same clips' columns in random order: sound without order in
        time) and `noise` (with the training data's mean and spread in each band). `interval`,
        `floor_interval`, `shuffled_interval`: [low, high] over tracks, or None where only one
        track is held out. beside_shuffled: that of the value beside `shuffled` on the same tracks
        (`intervals.beside`). memorisation has `copied` too: the share of clips that are copies.
        """
        clips = independent(generated[: self.count])
        _ = (
            self._anchors,
            self._held_out_through,
            self._embed,
        )  # made once, before threads share them
        scored = side_by_side(self._score, ((name, clips) for name in self._makers))
        result = dict(zip(self._makers, scored, strict=True))
        memory = self.measure("memorisation")
        rows = clips.rows(memory.hear)
        ones = np.ones((1, rows.tracks)), np.ones((1, memory.reference.tracks))
        share = distances.copied(rows, memory.reference, *ones)[0]
        result["memorisation"]["copied"] = float(share)
        return result

    def values(self, generated: Float, names: Iterable[str]) -> dict[str, float]:
        """Some scores without anchors, for validation while a model trains."""
        clips = independent(generated[: self.count])
        measures = {name: self.measure(name) for name in names}
        return {name: m.value(clips.rows(m.hear)) for name, m in measures.items()}

    def measure(self, name: str) -> Measure:
        """The measure behind a score; made when first asked for, since some take seconds."""
        if name not in self._measures:
            self._measures[name] = self._makers[name]()
        return self._measures[name]

    def _score(self, name: str, clips: Clips) -> dict[str, Any]:
        measure = self.measure(name)
        return measure.score(clips.rows(measure.hear), self.seed)

    @cached_property
    def _anchors(self) -> dict[str, Clips]:
        """Made of training tracks, from which a generator has learnt what it knows."""
        spoilt = self._source.through(self._shuffle)
        return {
            "floor": self._floor,
            "copies": self._source.through(self._through),
            "shuffled": spoilt.through(self._through),
            "noise": self._noise,
        }

    @cached_property
    def _held_out_through(self) -> Clips:
        return self.held_out.through(self._through)

    def _shuffle(self, clips: Float) -> Float:
        return shuffled(clips, COLUMN, np.random.default_rng([self.seed, 1]))

    @cached_property
    def _embed(self) -> Hear:
        """The project's own embedding, fitted to the training clips."""
        embedding = Embedding.whitened(describe(self._train.log_mel))
        return lambda clips: embedding.apply(describe(clips))

    def _distance(self, hear: Hear, compare: Compare) -> Measure:
        return Measure(hear, compare, self.held_out, lambda: self._anchors)

    def _other_distance(self, hear: Hear) -> Measure:
        count = len(self._train) if hear is describe_time else min(len(self._train), SCALE_CLIPS)
        known = np.linspace(0, len(self._train) - 1, count).astype(int)
        embedding = Embedding.standardised(hear(self._train.log_mel[known]))
        return self._distance(lambda clips: embedding.apply(hear(clips)), distances.kernel_distance)

    def _order(self) -> Measure:
        """Anchors from held-out tracks: the judge has seen the training clips, spoilt and whole."""
        known = np.linspace(0, len(self._train) - 1, min(len(self._train), ORDER_CLIPS)).astype(int)
        judge = OrderJudge(self._train.log_mel[known], self.seed)
        return Measure(judge.logits, distances.order_auc, self.held_out, self._ordered)

    def _ordered(self) -> dict[str, Clips]:
        spoilt = self.held_out.through(self._shuffle)
        return {
            "floor": self.held_out,
            "copies": self._held_out_through,
            "shuffled": spoilt.through(self._through),
            "noise": self._noise,
        }

    def _memory(self) -> Measure:
        """Everything as the generator would give it back: through the decoder."""
        known = self._embed(self._through(self._train.log_mel))
        held_out = self._held_out_through
        measure = Measure(
            lambda clips: distances.nearest(self._embed(clips), known),
            distances.memorisation,
            held_out,
            lambda: self._anchors | {"floor": held_out},
        )
        if np.median(measure.reference.values) == 0:
            raise UserError(
                "every held-out clip is also a training clip: remove duplicate tracks from "
                "data/sources.yaml and run `melodygan lock`"
            )
        return measure


def spread(clips: Float) -> float:
    """How much clips (clips, frames, n_mels) differ from each other, in ln units; 0: all equal."""
    return float(clips.std(axis=0).mean())


def _some(available: int, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(rng.permutation(available)[:count])


def _noise(train: Float, count: int, rng: np.random.Generator) -> Float:
    """Independent Gaussian log-mel values with each band's mean and spread in the training set."""
    mean, std = train.mean((0, 1)), train.std((0, 1))
    noise = rng.standard_normal((count, *train.shape[1:]), np.float32) * std + mean
    return noise.astype(np.float32)
