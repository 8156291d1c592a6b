"""`melodygan generate` and `melodygan play`, with small models that were never trained."""

import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import soundfile

from melodygan.audio.loudness import integrated_loudness
from melodygan.cli import main
from melodygan.commands.generate import generate, go_on, play, vary
from melodygan.generation.play import Feed, first_samples, stream_wav
from melodygan.pipeline.errors import UserError

RATE = fake.AUDIO.sample_rate
pytestmark = pytest.mark.usefixtures("models")


def test_pieces_have_the_wanted_length_and_come_from_seeds_in_a_row() -> None:
    lines = generate("beat", 1.7, 5, 2, Path("out"), None)
    assert lines[1] == "out/001.wav: 1.7 s of beat by latent_prior, seed 6"
    generate("beat", 1.7, 6, 1, Path("again"), None)
    first, second, again = (
        soundfile.read(path)[0] for path in ("out/000.wav", "out/001.wav", "again/000.wav")
    )
    assert len(first) == len(second) == round(1.7 * RATE)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, again)


def test_a_longer_piece_begins_as_the_shorter_one() -> None:
    for seconds, folder in ((1.0, "short"), (3.0, "long")):
        generate("drone", seconds, 1, 1, Path(folder), None)
    short, long = (soundfile.read(f"{folder}/000.wav")[0] for folder in ("short", "long"))
    same = len(short) - 64 * 64  # the last piece of the vocoder knows what follows, or does not
    assert np.allclose(short[:same], long[:same], atol=2e-4)


@pytest.mark.parametrize(
    ("label", "model", "message"),
    [
        ("waltz", None, r"no trained model .* label waltz: .*latent_prior \(beat, drone\)"),
        ("beat", "latent_gan", r"latent_gan cannot invent clips of label beat"),
        (None, "vqvae", r"vqvae cannot invent clips: there are .*latent_gan \(no labels\)"),
    ],
)
def test_what_no_model_can_do_is_said_in_one_line(
    label: str | None, model: str | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        generate(label, 1.0, 0, 1, Path("out"), model)
    assert not Path("out").exists()


def test_a_model_of_one_length_makes_that_and_no_more() -> None:
    generate(None, 0.5, 0, 1, Path("out"), "latent_gan")
    assert len(soundfile.read("out/000.wav")[0]) == RATE // 2
    with pytest.raises(UserError, match=r"at most 0\.5 s"):
        generate(None, 0.6, 0, 1, Path("other"), "latent_gan")
    with pytest.raises(UserError, match="one length"):
        play(None, None, 0, Path("endless.wav"), "latent_gan")


def test_clips_of_a_label_have_the_models_own_length() -> None:
    lines = generate("drone", None, 1, 3, Path("out"), "wgan_gp")
    assert lines[2] == "out/002.wav: 0.51 s of drone by wgan_gp, seed 3"
    clips = [soundfile.read(f"out/{number:03d}.wav")[0] for number in range(3)]
    assert {len(clip) for clip in clips} == {64 * 64}
    assert not np.array_equal(clips[0], clips[1])
    with pytest.raises(UserError, match=r"wgan_gp cannot invent clips of label waltz"):
        generate("waltz", None, 1, 1, Path("other"), "wgan_gp")


def test_a_song_is_gone_on_from_where_it_ends(song: np.ndarray) -> None:
    lines = go_on(Path("song.wav"), "beat", 1.5, 5, 2, Path("out"), None)
    assert lines[0] == "out/000.wav: song.wav and 1.5 s more of beat by latent_prior, seed 5"
    first, second = (soundfile.read(f"out/00{n}.wav", dtype="float32")[0] for n in (0, 1))
    hop = fake.AUDIO.hop_length
    end = fake.AUDIO.frames(len(song)) * hop
    assert len(first) == end + round(1.5 * RATE)
    assert np.abs(first[: end - 64 * hop] - song[: end - 64 * hop]).max() < 1e-4, "untouched"
    assert not np.array_equal(first[end:], second[end:]), "seeds differ"
    assert np.isfinite(first).all() and first[end:].std() > 0


def test_a_faded_end_is_left_out_of_what_is_gone_on_from(song: np.ndarray) -> None:
    fade = np.concatenate([np.ones(2 * RATE), np.geomspace(1, 1e-3, 2 * RATE)])
    faded = np.concatenate([song * fade, np.zeros(RATE)]).astype(np.float32)
    soundfile.write("song.wav", faded, RATE, subtype="FLOAT")
    go_on(Path("song.wav"), "beat", 1.0, 5, 1, Path("out"), None)
    made, _ = soundfile.read("out/000.wav", dtype="float32")
    assert 2.0 < len(made) / RATE - 1 < 3.2


def test_a_variation_is_as_long_and_as_loud_as_its_song_and_leaves_it_by_its_strength(
    song: np.ndarray,
) -> None:
    made = {}
    for strength in (0.0, 0.5, 1.0):
        out = Path(f"out{strength:g}")
        lines = vary(Path("song.wav"), strength, "beat", 3, 1, out, None, False)
        assert lines == [f"{out}/000.wav: 4.0 s of song.wav at strength {strength:g} by "
                         "latent_prior, seed 3"]  # fmt: skip
        made[strength] = soundfile.read(out / "000.wav", dtype="float32")[0]
        assert len(made[strength]) == fake.AUDIO.frames(len(song)) * fake.AUDIO.hop_length
        wanted = integrated_loudness(song, RATE)
        assert integrated_loudness(made[strength], RATE) == pytest.approx(wanted, abs=0.3)
    assert not np.array_equal(made[0.5], made[0.0])
    assert not np.array_equal(made[0.5], made[1.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strength", "0.5"], "go with --variation SONG"),
        (["--variation", "song.wav", "--seconds", "3"], "as long as its song"),
        (["--variation", "song.wav", "--model", "latent_gan"], "cannot play a song otherwise"),
        (["--continue", "song.wav", "--model", "latent_gan"], "cannot go on from a song"),
        (["--continue", "nowhere.wav"], "nowhere.wav"),
        (["--continue", "out/000.wav"], "is the song itself"),
        (["--continue", "song.wav"], "not made by melodygan"),
    ],
)
def test_what_cannot_be_done_with_a_song_is_said_in_one_line(
    song: np.ndarray, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there = message in ("is the song itself", "not made by melodygan")
    Path("out").mkdir()
    if there:
        shutil.copy("song.wav", "out/000.wav")
    assert main(["generate", *options, "-o", "out"]) == 1
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said
    assert [path.name for path in Path("out").iterdir()] == ["000.wav"] * there
    assert not there or Path("out/000.wav").read_bytes() == Path("song.wav").read_bytes()


def test_playing_to_a_file_gives_a_wav_of_true_length() -> None:
    play("beat", 1.0, 3, Path("played.wav"), None)
    generate("beat", 1.0, 3, 1, Path("out"), None)
    played, rate = soundfile.read("played.wav")
    assert rate == RATE and len(played) == RATE
    written = soundfile.read("out/000.wav")[0]
    assert np.allclose(played, written, atol=1e-4) or np.abs(written).max() > 0.999


def test_a_listener_may_leave_at_any_time() -> None:
    code = "import sys; from melodygan.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "play", "--label", "beat"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout and process.stderr
    heard = process.stdout.read(60_000)  # more than three seconds: there is no end in sight
    assert heard, process.stderr.read()
    assert heard[:4] == b"RIFF" and heard[8:12] == b"WAVE"
    assert np.abs(np.frombuffer(heard[44:], np.int16)).max() > 0
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""


def test_an_endless_log_mel_is_forgotten_as_it_is_read() -> None:
    frames = iter(np.arange(100_000, dtype=np.float32).reshape(-1, 10, 1))
    feed = Feed(frames)
    for start in range(0, 5000, 64):
        part = feed.read(max(start - 32, 0), start + 68)
        assert part[0, 0] == max(start - 32, 0) and part[-1, 0] == start + 67
        assert len(feed.frames) < 200


def test_a_stream_that_cannot_be_wound_back_keeps_the_longest_length() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    sound = [np.full(1000, 0.5, np.float32), np.full(500, 2.0, np.float32)]
    pipe: Any = Pipe()
    assert stream_wav(pipe, first_samples(iter(sound), 1200), RATE) == 1200
    data = pipe.getvalue()
    assert data[4:8] == b"\xff\xff\xff\xff" and len(data) == 44 + 2400
    assert np.frombuffer(data[44:], np.int16).max() == 32767, "clipped, not wrapped round"
