"""Scores of conversions: no trivial answer wins, and each way to fail is seen."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from melodygan.audio.mel import LOG_SILENCE, MelConfig
from melodygan.pipeline.errors import UserError
from melodygan.scores.conversions import ConversionScores, Scores
from melodygan.scores.training_free import Equaliser

Float = NDArray[np.float32]

AUDIO = MelConfig(8000, 256, 64, 256, 32, 0.0, 4000.0)
FRAMES = 640
ANCHORS = ("value", "identity", "chance", "random_target", "equaliser", "transport")
KEYS = ("style_probability", "style_blind", "chroma", "onset_correlation", "tempo_agreement")


def score_of(seed: int) -> tuple[NDArray[np.int64], int]:
    """A tune, one note (mel band) per beat, and how many frames a beat has."""
    rng = np.random.default_rng(seed)
    beat = int(rng.integers(14, 30))
    return rng.integers(6, 26, FRAMES // beat + 1), beat


def play(seed: int, label: str) -> Float:
    """The tune of a seed as log-mel (frames, 32).

    struck: dull, each note rings for long. plucked: bright, short notes.
    """
    notes, beat = score_of(seed)
    rng = np.random.default_rng([seed, 1])
    time, band = np.arange(FRAMES)[:, None], np.arange(32)[None, :]
    note = notes[time // beat]
    if label == "struck":
        mel = -3 - 0.10 * band - (time % beat) / 9 - 0.5 * np.abs(band - note)
    else:
        mel = -5 + 0.05 * band - 2 * ((time % beat) / 7) - 0.5 * (band - note) ** 2 / 4
    mel = mel + 0.3 * rng.standard_normal((FRAMES, 32))
    return np.maximum(mel, LOG_SILENCE).astype(np.float32)


HELD_OUT = {"plucked": range(20, 23), "struck": range(30, 33)}


def data(held_out: dict[str, range] = HELD_OUT) -> tuple[dict[str, list[Float]], ...]:
    train = {
        "plucked": [play(seed, "plucked") for seed in range(4)],
        "struck": [play(seed, "struck") for seed in range(10, 14)],
    }
    return train, {
        label: [play(seed, label) for seed in seeds] for label, seeds in held_out.items()
    }


@pytest.fixture(scope="module")
def judge() -> ConversionScores:
    torch.set_num_threads(1)
    return ConversionScores(*data(), AUDIO, seed=0)


def by(judge: ConversionScores, answer: Callable[[int, str, str], Float]) -> Scores:
    """Scores of `answer(place, source, target)` for the tracks in their places."""
    return judge.judge(
        {
            (source, target): [answer(i, source, target) for i in range(3)]
            for source, target in judge.anchors
        }
    )


def perfect(i: int, source: str, target: str) -> Float:
    """The same tune, played by the other instrument."""
    return play(HELD_OUT[source][i], target)


def test_a_perfect_conversion_misses_little_and_keeps_the_song(judge: ConversionScores) -> None:
    scores = by(judge, perfect)
    assert set(scores) == {"plucked_to_struck", "struck_to_plucked", "mean"}
    for direction in scores.values():
        assert direction["shortfall"]["value"] < 0.5
        assert direction["shortfall_blind"]["value"] < 0.5
        assert direction["style_probability"]["value"] > 0.8
        assert direction["chroma"]["value"] > 0.6
        assert direction["tempo_agreement"]["value"] == 1
        assert direction["style_probability"]["accuracy"] > 0.9
        assert direction["style_blind"]["accuracy"] > 0.9


def test_all_scores_have_all_anchors_and_an_interval_about_the_value(
    judge: ConversionScores,
) -> None:
    for direction in by(judge, perfect).values():
        assert set(direction) == {*KEYS, "shortfall", "shortfall_blind", "shortfall_both"}
        for values in direction.values():
            assert set(ANCHORS) < set(values)
            low, high = values["interval"]
            assert low <= values["value"] + 1e-9
            assert values["value"] <= high + 1e-9
        for score in ("shortfall", "shortfall_blind", "shortfall_both"):
            for baseline in ("identity", "equaliser", "transport"):
                low, high = direction[score][f"beside_{baseline}"]
                assert low - 1e-9 <= direction[score]["value"] <= high + 1e-9


def test_the_mean_is_that_of_the_directions_and_both_that_of_the_shortfalls(
    judge: ConversionScores,
) -> None:
    scores = by(judge, lambda i, source, target: perfect(i, source, "struck"))  # good in one only
    mean = scores.pop("mean")
    for score, values in mean.items():
        for key in ANCHORS:
            assert values[key] == pytest.approx(np.mean([of[score][key] for of in scores.values()]))
    for of in (*scores.values(), mean):
        both = np.mean([of[score]["value"] for score in ("shortfall", "shortfall_blind")])
        assert of["shortfall_both"]["value"] == pytest.approx(both)
    good, bad = (scores[name]["shortfall_both"] for name in sorted(scores))
    assert good["value"] < 0.5 < bad["value"]
    spread = np.ptp(mean["shortfall_both"]["interval"])
    assert 0 < spread < np.mean([np.ptp(good["interval"]), np.ptp(bad["interval"])]) + 1e-6


def test_neither_the_source_nor_a_real_track_of_the_target_wins(judge: ConversionScores) -> None:
    same = judge.scores(lambda mel, source, target: mel)
    other = by(judge, lambda i, source, target: judge.tracks[target][i])
    for direction in same:
        for score in ("shortfall", "shortfall_blind"):
            assert same[direction][score]["value"] == pytest.approx(1)
            assert same[direction][score]["identity"] == pytest.approx(1)
            assert other[direction][score]["random_target"] == pytest.approx(1)
            assert other[direction][score]["value"] == pytest.approx(1, abs=0.15)
        assert same[direction]["chroma"]["value"] == pytest.approx(1)
        assert same[direction]["style_probability"]["value"] < 0.2
        assert abs(other[direction]["chroma"]["value"]) < 0.3
        assert other[direction]["style_probability"]["value"] > 0.8


def test_shuffled_frames_of_a_perfect_conversion_lose_the_content(judge: ConversionScores) -> None:
    rng = np.random.default_rng(0)
    scores = by(judge, lambda *place: rng.permutation(perfect(*place)))
    for direction in scores.values():
        assert abs(direction["chroma"]["value"]) < 0.15
        assert abs(direction["onset_correlation"]["value"]) < 0.15
        assert abs(direction["chroma"]["chance"]) < 0.15
        assert direction["shortfall"]["value"] > 0.9
        assert direction["shortfall_blind"]["value"] > 0.9


def test_a_flat_answer_has_neither_style_nor_content(judge: ConversionScores) -> None:
    flat = judge.scores(lambda mel, source, target: np.full_like(mel, -4.0))
    for direction in flat.values():
        assert direction["chroma"]["value"] == pytest.approx(0, abs=1e-6)
        assert direction["onset_correlation"]["value"] == pytest.approx(0, abs=1e-6)
        assert direction["shortfall"]["value"] >= 0.9


def test_a_conversion_to_the_wrong_label_gains_no_style(judge: ConversionScores) -> None:
    wrong = by(judge, lambda i, source, target: perfect(i, source, source))
    for direction in wrong.values():
        assert direction["style_probability"]["value"] < 0.2
        assert direction["style_blind"]["value"] < 0.2
        assert direction["shortfall"]["value"] == pytest.approx(1, abs=0.2)


def test_an_equaliser_fools_one_classifier_and_not_the_other(judge: ConversionScores) -> None:
    train, _ = data()
    means = {label: np.concatenate(mels) for label, mels in train.items()}
    scores = judge.scores(lambda mel, source, target: Equaliser(means[target])(mel))
    for direction in scores.values():
        timbre, blind = direction["style_probability"], direction["style_blind"]
        assert timbre["value"] == pytest.approx(timbre["equaliser"], abs=0.02)
        assert blind["value"] < blind["identity"] + 0.1
        assert direction["shortfall_blind"]["value"] > 0.8
    gained = [of["style_probability"]["value"] - of["style_probability"]["identity"]
              for of in scores.values()]  # fmt: skip
    assert max(gained) > 0.2


def test_labels_that_sound_alike_grant_no_style() -> None:
    train, _ = data()
    same = {name: train["plucked"][i::2] for i, name in enumerate(("a", "b"))}
    held = {"a": [play(20, "plucked"), play(21, "plucked")], "b": [play(22, "plucked")]}
    scores = ConversionScores(same, held, AUDIO, 0).scores(lambda mel, source, target: mel + 1)
    for direction in scores.values():
        contrast = {
            score: direction[score]["random_target"] - direction[score]["identity"]
            for score in ("style_probability", "style_blind")
        }
        for score, style in [
            ("shortfall", "style_probability"),
            ("shortfall_blind", "style_blind"),
        ]:
            if contrast[style] < 0.1:
                assert direction[score]["value"] >= 1
        assert direction["style_blind"]["accuracy"] < 0.9
        assert min(contrast.values()) < 0.1


def test_a_single_track_has_no_interval_and_more_tracks_a_narrower_one() -> None:
    widths = []
    for count in (1, 2, 8):
        held = {"plucked": range(20, 20 + count), "struck": range(30, 30 + count)}
        judge = ConversionScores(*data(held), AUDIO, 0)
        rng = np.random.default_rng(0)
        every_other_lost = [
            rng.permutation(mel) if place % 2 else mel
            for place, mel in enumerate(judge.tracks["plucked"])
        ]
        scores = judge.judge({("plucked", "struck"): every_other_lost})["plucked_to_struck"]
        if count == 1:
            assert all(values["interval"] is None for values in scores.values())
        else:
            widths.append(np.ptp(scores["chroma"]["interval"]))
    assert widths[0] > 0.8  # of two tracks, one is kept and one is lost
    assert widths[1] < 0.8 * widths[0]


def test_tracks_too_short_for_a_clip_are_left_out_and_told_if_there_are_no_others() -> None:
    train, held = data()
    short = {label: [mels[0][:100], *mels] for label, mels in held.items()}
    assert len(ConversionScores(train, short, AUDIO, 0).tracks["plucked"]) == 3
    with pytest.raises(UserError, match="no track has the 128 frames"):
        ConversionScores(train, short | {"struck": [held["struck"][0][:127]]}, AUDIO, 0)


def test_where_nothing_was_converted_there_is_nothing_to_judge(judge: ConversionScores) -> None:
    assert judge.judge({}) == {}


def test_of_three_labels_only_the_one_that_was_asked_for_counts() -> None:
    train, held = (
        of
        | {"hollow": [mel / 3 - 4 - (np.arange(32) % 2).astype(np.float32) for mel in of["struck"]]}
        for of in data()
    )
    judge = ConversionScores(train, held, AUDIO, 0)

    def scores(heard: Callable[[str, str], str]) -> Scores:
        return judge.judge({way: judge.tracks[heard(*way)] for way in judge.anchors})

    def third(source: str, target: str) -> str:
        return next(label for label in judge.labels if label not in (source, target))

    right, wrong = scores(lambda source, target: target), scores(third)
    assert len(right) == 7  # six directions and their mean
    for direction in right:
        style = right[direction]["style_probability"]
        assert style["value"] == pytest.approx(style["random_target"]) and style["value"] > 0.8
        assert wrong[direction]["style_probability"]["value"] < 0.2
        assert wrong[direction]["shortfall"]["value"] > 1.2


def test_judging_again_gives_the_same_numbers(judge: ConversionScores) -> None:
    again = ConversionScores(*data(), AUDIO, seed=0)
    assert by(again, perfect) == by(judge, perfect)
