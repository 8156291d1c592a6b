"""The style classifier separates made styles that it has not seen, the same way every time."""

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.scores.style import StyleClassifier

Float = NDArray[np.float32]


def pulses(count: int, seed: int, period: int, bright: float) -> Float:
    """Log-mel of beats every `period` frames with a brightness; (count, 32, 96), ln units."""
    rng = np.random.default_rng(seed)
    frames, bands = np.arange(96), np.arange(32)[:, None]
    clips = []
    for _ in range(count):
        beat = -0.3 * ((frames + rng.integers(period)) % period)
        clips.append(beat + bright * bands / 32 + rng.normal(0, 0.5, (32, 96)) - 3)
    return np.stack(clips).astype(np.float32)


STYLES = {"fast": (6, 1.0), "slow": (24, 1.0), "dark": (6, -2.0)}


@pytest.fixture(scope="module")
def classifier() -> StyleClassifier:
    return StyleClassifier({name: pulses(60, 0, *style) for name, style in STYLES.items()})


@pytest.mark.parametrize("style", STYLES)
def test_new_clips_of_a_style_are_recognised(classifier: StyleClassifier, style: str) -> None:
    clips = pulses(20, 9, *STYLES[style])
    probabilities = {name: classifier.probability(clips, name) for name in STYLES}
    assert probabilities[style] > 0.8
    assert sum(probabilities.values()) == pytest.approx(1)


def test_clips_between_two_styles_lie_between(classifier: StyleClassifier) -> None:
    halves = np.concatenate([pulses(10, 9, *STYLES["fast"]), pulses(10, 9, *STYLES["slow"])])
    assert 0.35 < classifier.probability(halves, "fast") < 0.65


def test_a_rare_style_is_not_drowned_by_a_common_one() -> None:
    lopsided = StyleClassifier(
        {"fast": pulses(150, 0, *STYLES["fast"]), "slow": pulses(10, 1, *STYLES["slow"])}
    )
    assert lopsided.probability(pulses(20, 9, *STYLES["slow"]), "slow") > 0.7


def test_labels_without_a_difference_are_not_told_apart() -> None:
    same = StyleClassifier({name: pulses(100, s, 6, 1.0) for s, name in enumerate("ab")})
    assert 0.3 < same.probability(pulses(100, 9, 6, 1.0), "a") < 0.7


def test_training_again_gives_the_same_numbers(classifier: StyleClassifier) -> None:
    again = StyleClassifier({name: pulses(60, 0, *STYLES[name]) for name in reversed(list(STYLES))})
    clips = pulses(5, 9, *STYLES["dark"])
    assert again.probability(clips, "dark") == classifier.probability(clips, "dark")
