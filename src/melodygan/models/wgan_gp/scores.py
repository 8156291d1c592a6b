"""Scores of clips that were asked for by label, each also of what needs no training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.models.wgan_gp.gaussian import gaussian_clips
from melodygan.models.wgan_gp.levels import levelled, levels_between
from melodygan.pipeline.errors import UserError
from melodygan.scores.bootstrap import COVERED, track_weights
from melodygan.scores.labels import label_accuracy
from melodygan.scores.rows import Rows, independent, regular
from melodygan.scores.sets import CLIPS, OVERLAP, Measure, RealSets, spread
from melodygan.scores.style import StyleClassifier, cut_clips

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
ByLabel = Mapping[str, Float]  # clips (clips, frames, n_mels)
Tracks = Mapping[str, Sequence[Float]]  # log-mels (frames, n_mels) of tracks
Scores = dict[str, Any]

FEWEST = 32  # clips of a label that are judged, where there are so many
FITTED = 256  # training clips that a label's Gaussian is fitted to, at most
SUMMED = ("kernel_distance", "time_distance")  # of which `label_distance` is made
OF_LABEL = (*SUMMED, "frechet_distance")  # that each label has by itself too
BASELINES = {  # what needs no training, in words
    "gaussian": "a Gaussian of each label",
    "gaussian_levels": "a calibrated Gaussian of each label",
}
SHOWN = ("value", *BASELINES, "floor")  # what has an interval


@dataclass(frozen=True)
class LabelScores:
    """Judges clips by label.

    train, held_out: tracks by label, `frames` long at least. axes: of the Gaussians, as many as
    the model has noise. through: as in RealSets. Raises UserError, when first used, if no label
    has two held-out clips; one that has not is judged together with the others alone.
    """

    train: Tracks
    held_out: Tracks
    frames: int
    axes: int
    seed: int
    through: Callable[[Float], Float]

    @cached_property
    def sets(self) -> dict[str, RealSets]:
        """Real clips of each label that has enough of them."""
        usable = {
            label: mels
            for label, mels in self.held_out.items()
            if sum(1 + (len(mel) - self.frames) // self._hop for mel in mels) > 1
        }
        if not usable:
            raise UserError(
                "too few held-out clips of each label to judge by: add longer or more tracks, or "
                "lower wgan_gp.frames"
            )
        count = max(FEWEST, CLIPS // len(usable))
        return {
            label: RealSets(self.train[label], mels, self.frames, self.seed, self.through, count)
            for label, mels in usable.items()
        }

    @cached_property
    def count(self) -> int:
        """Clips of each label that the scores want."""
        share = -(-self._all.count // len(self.train))
        return max(share, *(real.count for real in self.sets.values()))

    @cached_property
    def baselines(self) -> dict[str, dict[str, Float]]:
        """`count` clips of each label, made without training.

        gaussian: from the Gaussian of the label's training clips. gaussian_levels: the same with
        the levels of each band brought to those of the training clips.
        """
        plain, corrected = {}, {}
        for index, (label, mels) in enumerate(self.train.items()):
            real = regular(mels, self.frames, self._hop, FITTED).log_mel
            clips = gaussian_clips(real, self.axes, self.count, self.seed + index)
            plain[label] = clips
            corrected[label] = levelled(clips, levels_between(clips, real))
        return dict(zip(BASELINES, (plain, corrected), strict=True))

    def scores(self, generated: ByLabel) -> Scores:
        """All scores of at least `count` clips of each label.

        Those of RealSets, of the clips of all labels together. label_distance: kernel distance plus
        time distance of a label's clips to its own held-out ones, the mean of the labels; it hears
        a wrong label, wrong timbre and a lack of order. diversity: spread of a label's clips over
        that of its held-out ones (`alike`: of one clip again and again). With several labels:
        label_accuracy; and train_on_generated, the accuracy on held-out clips of a classifier that
        knows generated clips alone (`floor`: one that knows the training clips). labels: distances
        and diversity of each. The `baselines` stand beside all of them.
        """
        result = self._together(generated)
        result["label_distance"] = self._label_distance(generated)
        result["diversity"] = self._diversity(generated)
        if len(self.sets) > 1:
            result |= self._classified(generated)
        result["labels"] = {label: self._of_label(label, generated) for label in self.sets}
        return result

    def values(self, generated: ByLabel) -> dict[str, float]:
        """label_distance, its parts and the diversity alone, to watch while a model trains."""
        parts = {name: self._mean(generated, name) for name in SUMMED}
        return {
            **parts,
            "label_distance": sum(parts.values()),
            "diversity": float(np.mean(list(self._ratios(generated).values()))),
        }

    @property
    def _hop(self) -> int:
        return max(1, self.frames // OVERLAP)

    @cached_property
    def _all(self) -> RealSets:
        train, held_out = (
            [mel for mels in tracks.values() for mel in mels]
            for tracks in (self.train, self.held_out)
        )
        return RealSets(train, held_out, self.frames, self.seed, self.through)

    def _together(self, generated: ByLabel) -> Scores:
        result: Scores = self._all.scores(_mixed(generated))
        for baseline, clips in self.baselines.items():
            for name, value in self._all.values(_mixed(clips), list(result)).items():
                result[name][baseline] = value
        return result

    def _label_distance(self, generated: ByLabel) -> Scores:
        made = {"value": generated, **self.baselines}
        result: Scores = {}
        for name in (*made, "floor", "copies", "shuffled", "noise"):
            value, *draws = self._draws(name, made.get(name))
            result[name] = float(value)
            if name in SHOWN:
                low, high = np.percentile(draws, COVERED) - np.median(draws) + value
                alone = any(real.tracks < 2 for real in self.sets.values())
                interval = None if alone else [float(low), float(high)]
                result["interval" if name == "value" else f"{name}_interval"] = interval
        return result

    def _draws(self, anchor: str, clips: ByLabel | None) -> Matrix:
        """The distance of clips, else of an anchor; then under random weights of the tracks.

        Each label's tracks have the same weights in both of its distances. (1 + DRAWS,)
        """
        total = []
        for index, (label, real) in enumerate(self.sets.items()):
            for name in SUMMED:
                measure = real.measure(name)
                rows = _heard(clips[label], measure) if clips else measure.anchors[anchor]
                rng = np.random.default_rng([self.seed, index])
                counts = rows.tracks, measure.reference.tracks
                weights = [track_weights(n, rng) * n for n in counts]
                total.append(measure.compare(rows, measure.reference, *weights))
        return np.sum(total, axis=0) / len(self.sets)

    def _mean(self, generated: ByLabel, name: str) -> float:
        measures = {label: real.measure(name) for label, real in self.sets.items()}
        values = [of.value(_heard(generated[label], of)) for label, of in measures.items()]
        return float(np.mean(values))

    def _ratios(self, clips: ByLabel) -> dict[str, float]:
        """Spread of each label's clips over that of its held-out clips."""
        return {
            label: spread(clips[label]) / max(real.spread, 1e-6)
            for label, real in self.sets.items()
        }

    def _diversity(self, generated: ByLabel) -> Scores:
        real = {
            label: regular(self.train[label], self.frames, self._hop, self.count).log_mel
            for label in self.sets
        }
        judged = {"value": generated, **self.baselines, "floor": real}
        means = {name: np.mean(list(self._ratios(of).values())) for name, of in judged.items()}
        return {name: float(mean) for name, mean in means.items()} | {"alike": 0.0}

    def _classified(self, generated: ByLabel) -> Scores:
        def judged(of: Mapping[str, Any]) -> dict[str, Any]:
            return {label: of[label] for label in self.sets}

        train, held_out = judged(self.train), judged(self.held_out)
        real = {label: cut_clips(mels, self.frames, self._hop) for label, mels in held_out.items()}
        accuracy = label_accuracy(judged(generated), train, held_out, self.through)
        learnt = {"value": StyleClassifier(judged(generated)).accuracy(real)}
        for name, clips in self.baselines.items():
            of = judged(clips)
            accuracy[name] = label_accuracy(of, train, held_out, lambda real: real)["value"]
            learnt[name] = StyleClassifier(of).accuracy(real)
        learnt |= {"floor": accuracy["floor"], "chance": 1 / len(real)}
        return {"label_accuracy": accuracy, "train_on_generated": learnt}

    def _of_label(self, label: str, generated: ByLabel) -> Scores:
        result: Scores = {}
        for name in OF_LABEL:
            measure = self.sets[label].measure(name)
            result[name] = measure.score(_heard(generated[label], measure), self.seed)
            for baseline, clips in self.baselines.items():
                result[name][baseline] = measure.value(_heard(clips[label], measure))
        ratios = {"value": generated, **self.baselines}
        result["diversity"] = {name: self._ratios(of)[label] for name, of in ratios.items()}
        return result


def _heard(clips: Float, measure: Measure) -> Rows:
    return independent(clips).rows(measure.hear)


def _mixed(clips: ByLabel) -> Float:
    """As many of each label as of the others, in turn, so that the first ones are of all."""
    return np.stack(list(clips.values()), 1).reshape(-1, *next(iter(clips.values())).shape[1:])
