"""Scores of what one can hear: the WAV files of data/generated, analysed like any other audio."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodygan.audio.pcm import from_int16
from melodygan.dataset.clean_audio import CleanAudio
from melodygan.dataset.feature_set import FeatureSet, Track
from melodygan.evaluation.index import Made
from melodygan.pipeline.threads import side_by_side
from melodygan.scores.bootstrap import mean_interval
from melodygan.scores.content import Content
from melodygan.scores.conversions import CLIP, TRACKS, ConversionScores
from melodygan.scores.jury.jury import Jury, tag_of
from melodygan.scores.jury.sketch import sketch
from melodygan.scores.labels import label_accuracy
from melodygan.scores.sets import RealSets

Float = NDArray[np.float32]
Matrix = NDArray[np.float64]
Groups = Mapping[tuple[str, str], Sequence[Made]]
Scores = dict[str, Any]
Through = Callable[[Float], Float]

# of each kind: what `dvc metrics diff` shows
HEADLINES = {
    "sample": ("time_distance", "order_auc", "memorisation", "jury_distance"),
    "reconstruction": ("log_mel_l1", "chroma", "onset_correlation"),
    "conversion": ("shortfall", "shortfall_blind", "shortfall_both"),
    "extraction": ("log_mel_l1", "chroma", "onset_correlation"),
}


class Judge:
    """Judges generated clips by the real tracks.

    clean: sound of the test tracks. jury: None where it is not installed; its scores are left out.
    decoders: by model, what its samples have gone through that is not its own work (RealSets).
    """

    def __init__(
        self,
        features: FeatureSet,
        clean: CleanAudio,
        seed: int,
        jury: Jury | None,
        decoders: Mapping[str, Through] | None = None,
    ) -> None:
        self.features, self.audio, self.seed = features, features.audio, seed
        self.jury, self.decoders = jury, decoders or {}
        self._sets: dict[tuple[Any, ...], RealSets] = {}
        self.test = {track.track: track for track in features.tracks("test")}
        self.clean = {features.stem: clean}

    def scores(self, groups: Groups) -> dict[str, dict[str, Scores]]:
        """All scores by model, then by kind of clip, of what `read_index` gave."""
        judges = {
            "sample": self._samples,
            "reconstruction": self._reconstructions,
            "conversion": self._conversions,
            "extraction": self._extractions,
        }
        result: dict[str, dict[str, Scores]] = {}
        for (model, kind), made in groups.items():
            result.setdefault(model, {})[kind] = judges[kind](model, made)
        return result

    def _samples(self, model: str, made: Sequence[Made]) -> Scores:
        """Set scores of invented clips beside test tracks; with labels, whether they are heard."""
        real = [self.features.tracks(split) for split in ("train", "test")]
        train, test = ([track.mel for track in tracks] for tracks in real)
        # what no real track is long enough for cannot be compared: the beginning is
        longest = (max(map(len, mels)) for mels in (train, test))
        inner = [self._without_edges(clip) for clip in made]
        frames = min(*map(len, inner), *longest)
        clips = np.stack([mel[:frames] for mel in inner])
        through = self.decoders.get(model, lambda mels: mels)
        sets = self._real_sets(train, test, frames, through, len(made))
        result: Scores = {"clips": sets.count, **sets.scores(clips)}
        labels = sorted({clip.label for clip in made if clip.label is not None})
        if len(labels) > 1:
            result["label_accuracy"] = self._labels(labels, made, frames, through)
        return result

    def _without_edges(self, clip: Made) -> Float:
        """Log-mel without the frames that the padding reaches, which no cut from a track has."""
        edge = -(-self.audio.padding // self.audio.hop_length)
        return clip.mel[edge : len(clip.mel) - edge] if len(clip.mel) > 4 * edge else clip.mel

    def _real_sets(
        self, train: list[Float], test: list[Float], frames: int, through: Through, count: int
    ) -> RealSets:
        """Those of the tracks; models that share a decoder share them, with all their anchors.

        The same decoder is one that makes the same of some clip, to the last bit.
        """
        known = next(mel for mel in train if len(mel) >= frames)[:frames]
        key = frames, count, through(np.array(known)[None]).tobytes()
        if key not in self._sets:
            further = {"jury_distance": self._heard_by_jury} if self.jury else {}
            self._sets[key] = RealSets(train, test, frames, self.seed, through, count, further)
        return self._sets[key]

    def _heard_by_jury(self, clips: Float) -> Matrix:
        """Mean embedding of each clip: (clips, frames, n_mels), each a while, to (clips, 200)."""
        return np.stack(side_by_side(self._embedding, ((clip,) for clip in clips)))

    def _embedding(self, clip: Float) -> Matrix:
        assert self.jury
        return self.jury.embed(sketch(clip, self.audio), self.audio.sample_rate).mean(0)

    def _labels(
        self, labels: Sequence[str], made: Sequence[Made], frames: int, through: Through
    ) -> Scores:
        """Share of clips in which a classifier of real clips hears the label asked for."""
        train, test = (
            {label: [t.mel for t in self.features.tracks(split, label)] for label in labels}
            for split in ("train", "test")
        )
        clips = {
            label: np.stack([clip.mel[:frames] for clip in made if clip.label == label])
            for label in labels
        }
        return label_accuracy(clips, train, test, through, self.seed)

    def _reconstructions(self, model: str, made: Sequence[Made]) -> Scores:
        """How near rebuilt test tracks are to the true ones, and what of the songs is left.

        log_mel_l1: in ln units; mean_spectrum: that of the training tracks' mean as the answer.
        chroma, onset_correlation: scores/content.py; chance: the track's own frames in random
        order.
        """
        rng = np.random.default_rng(self.seed)
        rows: dict[str, list[dict[str, float]]] = {"value": [], "chance": []}
        for clip in made:
            true, rebuilt = self._pair(clip)
            content = Content.of(true, self.audio)
            rows["value"].append(
                content.likeness(Content.of(rebuilt, self.audio))
                | {"log_mel_l1": float(np.abs(true - rebuilt).mean())}
            )
            rows["chance"].append(
                content.likeness(Content.of(rng.permutation(true), self.audio))
                | {"log_mel_l1": float(np.abs(true - self._mean_spectrum).mean())}
            )
        result: Scores = {"clips": len(made)}
        for score, (worst, best) in {
            "log_mel_l1": ("mean_spectrum", 0.0),
            "chroma": ("chance", 1.0),
            "onset_correlation": ("chance", 1.0),
        }.items():
            value, chance = ([row[score] for row in of] for of in rows.values())
            mean, interval = self._mean(value)
            result[score] = {"value": mean, "interval": interval, "identity": best}
            result[score][worst] = float(np.mean(chance))
        return result

    def _extractions(self, model: str, made: Sequence[Made]) -> Scores:
        """How near stems are to the separated ones: the scores of a reconstruction, as they are.

        mix: those of what the stems were made from. Nothing is judged by these figures, for only
        the stems have gone through the vocoder; what the model can do its own test says.
        """
        rows = []
        for clip in made:
            mix, true = (
                self._track(clip, str(stem)).mel[: len(clip.mel)]
                for stem in (clip.source, clip.label)
            )
            content = Content.of(true, self.audio)
            rows.append(
                [
                    content.likeness(Content.of(mel, self.audio))
                    | {"log_mel_l1": float(np.abs(mel - true).mean())}
                    for mel in (clip.mel[: len(true)], mix)
                ]
            )
        result: Scores = {"clips": len(made)}
        for score in HEADLINES["extraction"]:
            mean, interval = self._mean([of[score] for of, _ in rows])
            before = float(np.mean([of[score] for _, of in rows]))
            result[score] = {"value": mean, "interval": interval, "mix": before}
        return result

    def _track(self, clip: Made, stem: str) -> Track:
        """The test track that a clip was made from, as one of its stems."""
        tracks = self.features.tracks("test", stem=stem)
        return next(track for track in tracks if track.track == clip.track)

    @cached_property
    def _mean_spectrum(self) -> Float:
        mels = [track.mel for track in self.features.tracks("train")]
        total = sum(mel.sum(0, dtype=np.float64) for mel in mels)
        return np.asarray(total / sum(map(len, mels)), np.float32)

    def _mean(self, values: Sequence[float]) -> tuple[float, list[float] | None]:
        """Mean over tracks and its interval."""
        return float(np.mean(values)), mean_interval(values, self.seed)

    def _conversions(self, model: str, made: Sequence[Made]) -> Scores:
        """By direction: style and content (ConversionScores), and what the jury calls it."""
        labels = sorted({str(of) for clip in made for of in (clip.source, clip.label)})
        converted: dict[tuple[str, str], list[Made]] = {}
        for clip in made:
            if clip.source and clip.label and len(clip.mel) >= CLIP:
                converted.setdefault((clip.source, clip.label), []).append(clip)
        converted = {direction: clips[:TRACKS] for direction, clips in converted.items()}
        sources = {source: clips for (source, _), clips in converted.items()}
        held_out = {
            label: [self._pair(clip)[0] for clip in sources[label]]
            if label in sources
            else [np.array(track.mel) for track in self.features.tracks("test", label)]
            for label in labels
        }
        train = {
            label: [track.mel for track in self.features.tracks("train", label)] for label in labels
        }
        scores: Scores = dict(
            ConversionScores(train, held_out, self.audio, self.seed).judge(
                {direction: [c.mel for c in clips] for direction, clips in converted.items()}
            )
        )
        for (source, target), clips in converted.items():
            if self.jury and (tags := self._tags((source, target), clips)):
                scores[f"{source}_to_{target}"]["jury_tags"] = tags
        return scores

    def _tags(self, direction: Sequence[str], made: Sequence[Made]) -> dict[str, dict[str, float]]:
        """Mean probability of the jury's tags for the two labels, of those that it knows.

        before: in the sources. after: in their conversions. real: in test tracks of the target.
        """
        known = {label: tag for label in direction if (tag := tag_of(label))}
        if not known:
            return {}
        sources = [self.true_sound(clip) for clip in made]
        targets = [
            self._head(track.track, max(map(len, sources)))
            for track in self.features.tracks("test", direction[1])[:TRACKS]
        ]
        sounds = {"before": sources, "after": [clip.sound for clip in made], "real": targets}
        heard = {when: self._mean_tags(of) for when, of in sounds.items()}
        return {
            label: {when: tags[tag] for when, tags in heard.items()} for label, tag in known.items()
        }

    def _mean_tags(self, sounds: Sequence[Float]) -> dict[str, float]:
        assert self.jury
        rows = [self.jury.tags(sound, self.audio.sample_rate) for sound in sounds]
        return {tag: float(np.mean([row[tag] for row in rows])) for tag in rows[0]}

    def true_sound(self, clip: Made) -> Float:
        """The true sound of what a clip was made from, as long as the clip."""
        stem = str(clip.source) if clip.kind == "extraction" else self.features.stem
        return self._head(str(clip.track), len(clip.sound), stem)

    def some_test_sounds(self, count: int, samples: int) -> list[tuple[Track, Float]]:
        """The beginnings, at most `samples` long, of `count` test tracks of all labels."""
        tracks = list(self.test.values())
        order = sorted(
            range(len(tracks)),
            key=lambda i: [track.label for track in tracks[:i]].count(tracks[i].label),
        )
        chosen = [tracks[i] for i in sorted(order[:count])]
        return [(track, self._head(track.track, samples)) for track in chosen]

    def _head(self, track: str, samples: int, stem: str | None = None) -> Float:
        """The beginning of a test track; stem: None stands for the one that models train on."""
        stem = stem or self.features.stem
        if stem not in self.clean:
            self.clean[stem] = CleanAudio(self.clean[self.features.stem].folder, "test", stem)
        of = self.clean[stem]
        return from_int16(of.tracks[of.names.index(track)][:samples])

    def _pair(self, clip: Made) -> tuple[Float, Float]:
        """Log-mel of the track that a clip was made from, and of the clip, equally long."""
        track = self.test[str(clip.track)]
        return np.array(track.mel[: len(clip.mel)]), clip.mel[: len(track.mel)]


def headlines(scores: Mapping[str, Mapping[str, Scores]]) -> dict[str, Any]:
    """The values of the few scores that matter most, by model and kind (and direction)."""

    def some(kind: str, of: Scores) -> Scores:
        found = {name: of[name]["value"] for name in HEADLINES[kind] if name in of}
        inner = {
            key: some(kind, value)
            for key, value in of.items()
            if isinstance(value, dict) and "value" not in value
        }
        return found | {key: value for key, value in inner.items() if value}

    return {
        model: {kind: some(kind, of) for kind, of in kinds.items()}
        for model, kinds in scores.items()
    }
