"""What the page asks for, on the command line: steering, temperature, walks, checks."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fake import AUDIO

from melodygan.cli import main
from melodygan.commands.generate import Wishes
from melodygan.generation import play
from melodygan.generation.makers import Makers
from melodygan.generation.play import PIECE, Wish, invented, paced, steered
from melodygan.pipeline.errors import UserError

SAMPLES = PIECE * AUDIO.hop_length


@pytest.fixture(autouse=True)
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(project)


@pytest.fixture(scope="module")
def makers(project: Path) -> Makers:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        return Makers(AUDIO, torch.device("cpu"))


def test_music_obeys_a_wish_within_two_pieces_and_is_untouched_before(makers: Makers) -> None:
    name, player = makers.player(None, None)
    voice = makers.synthesiser()
    plain = invented(player, voice, 3, "beat", None)
    unmoved = steered(name, player, voice, 3, lambda: Wish("beat", None))
    wish = Wish("beat", None)
    moved = steered(name, player, voice, 3, lambda: wish)
    for number in range(6):
        if number == 2:
            wish = Wish("drone", 0.5)
        one, same, other = next(plain), next(unmoved), next(moved)
        assert np.array_equal(one, same), "without a wish it is what `generate` makes"
        assert len(other) == SAMPLES
        if number < 2:
            assert np.array_equal(one, other)
        if number > 2:
            assert not np.array_equal(one, other)


def test_orders_are_obeyed_or_refused_in_one_line(makers: Makers) -> None:
    wishes = Wishes(*makers.player(None, None), Wish("beat", None))
    wishes.follow(["label drone\n", "temperature 0.7\n", "\n"])
    assert wishes() == Wish("drone", 0.7)
    for order, message in {
        "label waltz": r"knows no label waltz \(known: beat, drone\)",
        "temperature cold": "must be above 0",
        "temperature -1": "must be above 0",
        "louder": "say `label NAME` or `temperature T`",
    }.items():
        with pytest.raises(UserError, match=message):
            wishes.order(order)
    assert wishes() == Wish("drone", 0.7)
    wishes.order("label")
    assert wishes().label is None


def test_a_temperature_changes_the_music_of_models_that_have_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = {}
    for heat in ("1", "0.3", "1.0"):
        out = f"out-{heat}"
        arguments = ["--seconds", "1", "--temperature", heat, "-o", out]
        assert main(["generate", "--label", "beat", *arguments]) == 0
        made[heat] = soundfile.read(f"{out}/000.wav")[0]
    assert np.array_equal(made["1"], made["1.0"])
    assert not np.array_equal(made["1"], made["0.3"])
    with pytest.raises(SystemExit):
        main(["generate", "--temperature", "0", "-o", "x"])


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@pytest.mark.parametrize(("takes", "waits"), [(0.1, True), (1.0, False)])
def test_a_stream_is_never_far_ahead_and_a_slow_machine_is_not_slowed(
    monkeypatch: pytest.MonkeyPatch, takes: float, waits: bool
) -> None:
    clock = Clock()
    monkeypatch.setattr(play, "time", clock)

    def making():
        for _ in range(20):
            clock.now += takes
            yield np.zeros(500, np.float32)  # half a second

    made = 0.0
    for piece in paced(making(), 1000, ahead=1.0):
        made += len(piece.samples) / 1000
        assert piece.busy == pytest.approx(takes)
        assert made - (clock.now - takes) <= 1.5 + 1e-9
    assert made == 10.0
    assert (clock.slept > 0) == waits
    assert time.monotonic() != clock.now


def test_a_walk_begins_at_a_clip_and_ends_at_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explore", "--label", "drone"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 7 and said[0].startswith("direction 1: ") and "% of how" in said[0]
    assert said[6] == "clips of drone: 0 to 39"
    walks = {
        "one": ["--clip", "1"],
        "start": ["--clip", "1", "--to", "5", "--blend", "0"],
        "end": ["--clip", "1", "--to", "5", "--blend", "1"],
        "other": ["--clip", "5"],
        "moved": ["--clip", "1", "--move=3,-3"],
    }
    sounds = {}
    for name, walk in walks.items():
        assert main(["explore", "--label", "drone", *walk, "-o", f"walk/{name}.wav"]) == 0
        sounds[name] = soundfile.read(f"walk/{name}.wav")[0]
    assert np.array_equal(sounds["one"], sounds["start"])
    assert np.array_equal(sounds["end"], sounds["other"])
    assert not np.array_equal(sounds["one"], sounds["other"])
    assert not np.array_equal(sounds["one"], sounds["moved"])
    capsys.readouterr()
    for walk, message in ((["--clip", "99"], "clips 0 to 39, not 99"),
                          (["--move=1,1,1,1,1,1,1"], "6 directions, not 7")):  # fmt: skip
        assert main(["explore", "--label", "drone", *walk, "-o", "walk/x.wav"]) == 1
        assert message in capsys.readouterr().err


def test_a_check_says_of_each_file_what_preprocessing_would(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    music = tmp_path / "music"
    (music / "beat").mkdir(parents=True)
    sound, rate = soundfile.read(song)
    noise = np.random.default_rng(0).normal(0, 0.1, (6 * rate, 1)) * np.hanning(6 * rate)[:, None]
    soundfile.write(music / "beat/a.wav", np.concatenate([sound] * 3), rate)
    soundfile.write(music / "beat/b.flac", 0.5 * np.concatenate([sound] * 3), rate)
    soundfile.write(music / "silence.wav", 0 * sound, rate)
    soundfile.write(music / "other.wav", noise, rate)
    (music / "notes.txt").write_text("no music")
    assert main(["check", str(music)]) == 1
    said = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines()[:-1])
    assert said["beat/a.wav"] == "12.0 s of 12.0 s can be used"
    assert said["beat/b.flac"] == "same recording as beat/a.wav"
    assert said["silence.wav"] == "silent"
    assert "can be used" in said["other.wav"]
    assert "can be used" not in said["notes.txt"]
    assert main(["check", str(music / "beat/a.wav")]) == 0
    assert main(["check", str(tmp_path / "nowhere")]) == 1
