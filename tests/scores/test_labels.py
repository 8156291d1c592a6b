"""label_accuracy: right, mixed up, and where there is nothing to hear."""

from typing import Any

import fake
import numpy as np

from melodygan.scores.labels import label_accuracy


def test_swapped_labels_score_nothing_and_one_label_for_all_the_half() -> None:
    tracks = fake.tunes(["beat", "drone"])
    by_split = {
        split: {
            label: [t.mel for t in tracks if t.label == label and t.split == split]
            for label in ("beat", "drone")
        }
        for split in ("train", "validation", "test")
    }
    clips = {
        label: np.stack([mel[start : start + 64] for mel in mels for start in range(0, 512, 64)])
        for label, mels in by_split["validation"].items()
    }
    beat, drone = clips["beat"], clips["drone"]

    def score(generated: dict[str, np.ndarray]) -> dict[str, Any]:
        train, test = by_split["train"], by_split["test"]
        return label_accuracy(generated, train, test, lambda mel: -mel, 0)

    right = score(clips)
    assert right["value"] > 0.95 and right["floor"] > 0.95 and right["chance"] == 0.5
    assert right["copies"] < 0.9, "what clips go through is heard"
    assert score({"beat": drone, "drone": beat})["value"] < 0.05
    deaf = score({"beat": beat, "drone": beat})
    assert abs(deaf["value"] - 0.5) < 0.05
    mixed = score({label: np.concatenate([beat, drone]) for label in clips})
    low, high = mixed["interval"]
    assert low < mixed["value"] < high < right["interval"][0]
    assert score({"beat": beat[:1], "drone": drone})["interval"] is None
