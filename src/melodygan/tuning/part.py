"""A part of the training data, to see what more of it is worth."""

from functools import cached_property
from typing import Any

from melodygan.dataset.clean_audio import CleanAudio
from melodygan.dataset.feature_set import FeatureSet
from melodygan.training.data import Data


class Part(Data):
    """The data of a stage with only a share of the training tracks, the first of each label.

    So a smaller share is a part of a larger one. Mean and standard deviation stay those of all
    training tracks, and what other models have learnt stays too.
    """

    def __init__(self, whole: Data, share: float) -> None:
        self.stage, self.audio, self.seed = whole.stage, whole.audio, whole.seed
        self.made: dict[str, Any] = {}
        self._whole, self._share, self._declared = whole, share, whole._declared

    @cached_property
    def features(self) -> FeatureSet:
        """As of `Data`."""
        features = self._whole.features
        used: set[str] = set()
        for label in features.labels if self._share < 1 else ():
            if not features.has("train", label):
                continue
            tracks = features.tracks("train", label)
            wanted = self._share * sum(len(track.mel) for track in tracks)
            for track in tracks:
                if wanted > 0:
                    used.add(track.track)
                wanted -= len(track.mel)
        every = self._share == 1
        return features.only(lambda t: every or t.split != "train" or t.track in used)

    def clean(self, split: str, stem: str | None = None) -> CleanAudio:
        """As of `Data`."""
        audio = self._whole.clean(split, stem)
        if split == "train":
            used = {track.track for track in self.features.tracks("train")}
            kept = [i for i, name in enumerate(audio.names) if name in used]
            audio.names = [audio.names[i] for i in kept]
            audio.tracks = [audio.tracks[i] for i in kept]
        return audio
