"""Scores of WAV files: what is not music, not new or not converted looks bad, the rest good."""

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from melodygan.audio.mel import log_mel
from melodygan.evaluation.generated import headlines
from melodygan.scores.jury.jury import Jury

Float = NDArray[np.float32]
COUNT = 24  # invented clips
COLUMN = 512  # samples that are kept together when a clip is shuffled: 8 frames


def shuffled(sound: Float, rng: np.random.Generator) -> Float:
    """The sound's pieces of 8 frames in random order, faded so that the seams do not click."""
    pieces = sound[: len(sound) // COLUMN * COLUMN].reshape(-1, COLUMN).copy()
    ramp = np.minimum(1, np.arange(COLUMN, dtype=np.float32) / 16)
    return (pieces * ramp * ramp[::-1])[rng.permutation(len(pieces))].reshape(-1)


def untrained(sound: Float, rng: np.random.Generator) -> Float:
    """As loud, and without any form: what a network makes before it has learnt."""
    return (rng.standard_normal(len(sound)) * sound.std()).astype(np.float32)


@pytest.fixture(scope="module")
def samples(make_world: Any) -> dict[str, Any]:
    """Scores of sets of invented clips that are good or bad for a known reason."""
    world = make_world()
    rng = np.random.default_rng(1)
    new, known = world.cuts("validation", COUNT), world.cuts("train", COUNT)
    world.samples("real", new)
    world.samples("shuffled", [shuffled(sound, rng) for sound in new])
    world.samples("untrained", [untrained(sound, rng) for sound in new])
    world.samples("memoriser", known)
    world.samples("partly", [*known[: COUNT // 3], *new[COUNT // 3 :]])
    scores = world.judge().scores(world.groups())
    return {model: kinds["sample"] for model, kinds in scores.items()}


def outside(score: dict[str, Any]) -> bool:
    """Whether a set is shown to be worse than real music."""
    return bool(score["interval"][0] > score["floor_interval"][1])


def test_invented_sound_without_order_or_form_looks_bad_and_real_music_does_not(
    samples: dict[str, Any],
) -> None:
    for name in ("time_distance", "order_auc"):
        assert not outside(samples["real"][name]), name
        assert outside(samples["shuffled"][name]), name
        assert outside(samples["untrained"][name]), name
    assert samples["shuffled"]["order_auc"]["value"] > 0.9
    assert outside(samples["untrained"]["kernel_distance"])
    assert not outside(samples["real"]["kernel_distance"])


def test_a_planted_memoriser_is_found_and_so_is_a_partial_one(samples: dict[str, Any]) -> None:
    assert samples["memoriser"]["memorisation"]["value"] < 0.5
    assert samples["memoriser"]["memorisation"]["copied"] > 0.6
    assert samples["real"]["memorisation"]["value"] > 0.7
    assert samples["real"]["memorisation"]["copied"] < 0.15
    assert samples["partly"]["memorisation"]["copied"] > 0.15


def test_a_memoriser_behind_a_decoder_is_found_by_what_the_decoder_makes_of_real_clips(
    world: Any,
) -> None:
    """It repeats the training data, but no clip that comes out of its decoder is one of them."""

    def decoder(clips: Float) -> Float:
        return np.asarray(0.6 * clips - 2.0, np.float32)

    known = world.cuts("train", COUNT)
    world.samples("memoriser", [0.05 * np.sign(s) * np.abs(s) ** 0.6 for s in known])
    groups = world.groups()
    for clip in groups["memoriser", "sample"]:  # exactly what the decoder would make
        clip.__dict__["mel"] = decoder(log_mel(clip.sound, world.features.audio))
    plain, told = (
        world.judge(decoders=decoders).scores(groups)["memoriser"]["sample"]["memorisation"]
        for decoders in (None, {"memoriser": decoder})
    )
    assert told["value"] < plain["value"]


def conversions(world: Any, model: str, make: Any) -> dict[str, Any]:
    """Scores of `make(track)` as the conversion of each drone to pop."""
    for track in world.of("test", "drone"):
        row = {"track": track, "source": "drone", "label": "pop"}
        world.add(model, "conversion", make(track), **row)
    groups = {key: made for key, made in world.groups().items() if key[0] == model}
    return world.judge().scores(groups)[model]["conversion"]["drone_to_pop"]


def test_a_conversion_that_changes_nothing_or_keeps_nothing_looks_bad(world: Any) -> None:
    rng = np.random.default_rng(2)
    same = conversions(world, "same", lambda track: world.sounds[track])
    assert same["style_probability"]["value"] < 0.2
    assert same["chroma"]["value"] > 0.9
    assert same["shortfall"]["value"] == pytest.approx(1, abs=0.05)
    other = conversions(world, "other", lambda track: world.sounds["pop-0"])
    assert other["style_probability"]["value"] > 0.8
    assert other["chroma"]["value"] < 0.3
    noise = conversions(world, "noise", lambda track: untrained(world.sounds[track], rng))
    assert noise["shortfall"]["value"] > 0.9 and noise["chroma"]["value"] < 0.2


def test_the_same_notes_struck_instead_of_held_are_a_good_conversion(world: Any) -> None:
    good = conversions(world, "good", lambda track: world.retuned(track, "pop"))
    assert good["style_probability"]["value"] > 0.7
    assert good["chroma"]["value"] > 0.5 and good["shortfall"]["value"] < 0.7


def test_all_directions_of_three_labels_are_judged_together(make_world: Any) -> None:
    world = make_world("drone", "pop", "bell")
    for track in world.of("test"):
        source = track.split("-")[0]
        for label in world.labels:
            if label != source:
                row = {"track": track, "source": source, "label": label}
                world.add("gan", "conversion", world.retuned(track, label), **row)
    scores = world.judge().scores(world.groups())["gan"]["conversion"]
    ways = {f"{a}_to_{b}" for a, b in permutations(world.labels, 2)}
    assert scores.keys() == {*ways, "mean"}
    style = [scores[way]["style_probability"]["value"] for way in ways]
    assert scores["mean"]["style_probability"]["value"] == pytest.approx(np.mean(style))


def test_a_rebuilt_track_lies_between_the_mean_spectrum_and_itself(world: Any) -> None:
    rng = np.random.default_rng(3)
    makers = {"exact": lambda sound: sound, "untrained": lambda sound: untrained(sound, rng)}
    for track in world.of("test"):
        for model, make in makers.items():
            row = {"track": track, "source": track.split("-")[0], "label": track.split("-")[0]}
            world.add(model, "reconstruction", make(world.sounds[track]), **row)
    scores = world.judge().scores(world.groups())
    exact, bad = (scores[model]["reconstruction"] for model in makers)
    assert exact["log_mel_l1"]["value"] < 0.01 < exact["log_mel_l1"]["mean_spectrum"]
    assert exact["chroma"]["value"] > 0.99 and exact["onset_correlation"]["value"] > 0.99
    assert bad["log_mel_l1"]["value"] > bad["log_mel_l1"]["mean_spectrum"]
    assert abs(bad["chroma"]["value"]) < 0.3 and abs(exact["chroma"]["chance"]) < 0.3
    low, high = exact["chroma"]["interval"]
    assert low <= exact["chroma"]["value"] <= high


def test_an_extraction_is_judged_by_its_own_stem_beside_the_mix(world: Any) -> None:
    rng = np.random.default_rng(4)
    stems = world.stems()
    for track in world.of("test"):
        row = {"track": track, "source": "mix", "label": "instrumental"}
        stem = stems[track]
        for model, sound in (("exact", stem), ("idle", world.sounds[track]),
                             ("untrained", untrained(stem, rng))):  # fmt: skip
            world.add(model, "extraction", sound, **row)
    judge = world.judge()
    scores = judge.scores(world.groups())
    exact, idle, bad = (scores[of]["extraction"] for of in ("exact", "idle", "untrained"))
    assert exact["log_mel_l1"]["value"] < 0.01 < 0.1 < exact["log_mel_l1"]["mix"]
    assert idle["log_mel_l1"]["value"] == pytest.approx(idle["log_mel_l1"]["mix"], abs=0.01)
    assert bad["log_mel_l1"]["value"] > bad["log_mel_l1"]["mix"]
    assert exact["chroma"]["value"] > 0.99 > abs(bad["chroma"]["value"])
    (clip, *_) = world.groups()["exact", "extraction"]
    assert np.array_equal(judge.true_sound(clip), world.sounds[clip.track])


def test_a_clip_that_was_scaled_to_fit_is_judged_at_its_own_level(world: Any) -> None:
    (track, *_) = world.of("test")
    sound = world.sounds[track]
    for factor in (1.0, 5.0):
        world.add("loud", "reconstruction", factor * sound, track=track, source="drone")
    plain, loud = world.groups()["loud", "reconstruction"]
    assert plain.peak <= 1 < loud.peak and np.abs(loud.sound).max() <= 1
    shift = loud.mel - plain.mel
    assert np.median(shift) == pytest.approx(math.log(5), abs=0.01)


def test_asked_for_labels_count_only_where_they_are_heard(world: Any) -> None:
    for number, label in enumerate(["drone", "pop"] * 12):
        of_label = world.sounds[world.of("validation", label)[number % 2]]
        start = 1000 * (number // 2)
        for model, said in (("true", label), ("swapped", {"drone": "pop"}.get(label, "drone"))):
            world.add(model, "sample", of_label[start : start + 8000], label=said)
    scores = world.judge().scores(world.groups())
    true, swapped = (scores[name]["sample"]["label_accuracy"] for name in ("true", "swapped"))
    assert true["value"] > 0.9 and swapped["value"] < 0.1
    assert true["chance"] == 0.5 < true["floor"]


def test_the_jury_is_heard_where_it_is_installed_and_left_out_where_not(world: Any) -> None:
    jury = Jury.find()
    if jury is None:
        pytest.skip("no jury: `uv sync --group jury`")
    world.samples("real", world.cuts("validation", 8))
    (track, *_) = world.of("test", "drone")
    row = {"track": track, "source": "drone", "label": "pop"}
    world.add("same", "conversion", world.sounds[track], **row)
    groups = world.groups()
    without, heard = (world.judge(jury=j).scores(groups) for j in (None, jury))
    assert "jury_distance" not in without["real"]["sample"]
    distance = heard["real"]["sample"]["jury_distance"]
    assert distance["value"] < distance["noise"]
    tags = heard["same"]["conversion"]["drone_to_pop"]["jury_tags"]
    assert tags.keys() == {"pop"}, "the jury knows no tag for a drone"
    assert tags["pop"]["before"] == pytest.approx(tags["pop"]["after"], abs=0.02)
    assert "jury_tags" not in without["same"]["conversion"]["drone_to_pop"]


def test_headlines_are_a_few_plain_numbers_for_each_model_and_kind() -> None:
    score = {"value": 0.5, "floor": 0.1, "interval": [0.0, 1.0]}
    names = ("kernel_distance", "time_distance", "order_auc", "memorisation", "jury_distance")
    table = {
        "gan": {"sample": {"clips": 64, **dict.fromkeys(names, score)}},
        "cyclegan": {"conversion": {"a_to_b": {"shortfall": score, "chroma": score}}},
    }
    assert headlines(table) == {
        "gan": {"sample": dict.fromkeys(names[1:], 0.5)},
        "cyclegan": {"conversion": {"a_to_b": {"shortfall": 0.5}}},
    }
