"""The style classifier separates made styles that it has not seen, the same way every time."""

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.pipeline.errors import UserError
from melodygan.scores.style import StyleClassifier, cut_clips, movement

Float = NDArray[np.float32]


def pulses(count: int, seed: int, period: int, bright: float) -> Float:
    """Log-mel of beats every `period` frames with a brightness; (count, 96, 32), ln units."""
    rng = np.random.default_rng(seed)
    frames, bands = np.arange(96), np.arange(32)[:, None]
    clips = []
    for _ in range(count):
        beat = -0.3 * ((frames + rng.integers(period)) % period)
        clips.append(beat + bright * bands / 32 + rng.normal(0, 0.5, (32, 96)) - 3)
    return np.stack(clips).astype(np.float32).transpose(0, 2, 1)


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


def test_an_equaliser_fools_the_classifier_of_timbre_but_not_that_of_movement() -> None:
    styles = {"fast": (6, 1.0), "slow": (24, -2.0)}
    train = {name: pulses(60, 0, *style) for name, style in styles.items()}
    by_timbre, by_movement = StyleClassifier(train), StyleClassifier(train, movement)
    clips = pulses(20, 9, *styles["fast"])
    gain = train["slow"].mean((0, 1)) - train["fast"].mean((0, 1))
    equalised = clips + gain
    assert by_timbre.probability(equalised, "slow") > by_timbre.probability(clips, "slow") + 0.25
    assert by_movement.probability(equalised, "slow") == pytest.approx(
        by_movement.probability(clips, "slow"), abs=1e-4
    )
    assert by_movement.probability(clips, "slow") < 0.1
    assert by_movement.probability(pulses(20, 9, *styles["slow"]), "slow") > 0.9


def test_movement_cannot_tell_labels_that_differ_only_in_brightness() -> None:
    train = {
        name: pulses(60, s, 6, bright) for s, (name, bright) in enumerate([("a", 1), ("b", -2)])
    }
    held_out = {"a": pulses(60, 8, 6, 1), "b": pulses(60, 9, 6, -2)}
    assert StyleClassifier(train).accuracy(held_out) > 0.95
    assert 0.3 < StyleClassifier(train, movement).accuracy(held_out) < 0.7


def test_accuracy_on_other_labels_clips_is_none_and_labels_weigh_equally(
    classifier: StyleClassifier,
) -> None:
    clips = {name: pulses(20, 9, *style) for name, style in STYLES.items()}
    assert classifier.accuracy(clips) > 0.95
    assert classifier.accuracy({"fast": clips["slow"], "slow": clips["fast"]}) < 0.05
    half = {"fast": clips["fast"][:2], "slow": clips["fast"]}
    assert classifier.accuracy(half) == pytest.approx(0.5, abs=0.05)


def test_clips_are_cut_from_long_tracks_and_thinned_evenly() -> None:
    tracks = [np.full((size, 4), size, np.float32) for size in (40, 9, 100)]
    assert cut_clips(tracks, 10, 5).shape == (7 + 19, 10, 4)
    few = cut_clips(tracks, 10, 5, limit=13)
    assert few.shape == (13, 10, 4)
    assert 2 <= (few[:, 0, 0] == 40).sum() <= 5
    with pytest.raises(UserError, match="no track has the 128 frames"):
        cut_clips(tracks, 128, 64)
