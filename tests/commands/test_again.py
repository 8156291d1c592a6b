"""`melodygan generate --recipe`: a made file once more, byte for byte, or why not in one line."""

from dataclasses import replace
from pathlib import Path

import fake
import pytest

from melodygan.audio.wav import write_wav
from melodygan.cli import main
from melodygan.generation.recipe import Weights, read_recipe, with_recipe

pytestmark = pytest.mark.usefixtures("song")
MADE, AGAIN = Path("out/000.wav"), Path("out/000-again.wav")
MAKINGS = {
    "sample": ["generate", "--label", "beat", "--seconds", "0.7", "--seed", "5", "-o", "out"],
    "clip": ["generate", "--model", "wgan_gp", "--seed", "4294967295", "-o", "out"],
    "continuation": ["generate", "--continue", "song.wav", "--seconds", "0.5", "-o", "out"],
    "variation": ["generate", "--variation", "song.wav", "--strength", "0.3", "-o", "out"],
    "conversion": ["convert", "song.wav", "--to", "drone", "--strength", "0.9", "-o", str(MADE)],
}


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What `melodygan generate --recipe` says, which must be one line."""
    capsys.readouterr()
    assert main(["generate", "--recipe", *arguments]) == status
    streams = capsys.readouterr()
    line = (streams.err if status else streams.out).strip()
    assert line and "\n" not in line
    return line


@pytest.mark.parametrize("kind", MAKINGS)
def test_every_made_file_can_be_made_again_byte_for_byte(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(MAKINGS[kind]) == 0
    Path("song.wav").rename("moved.wav")
    song = [] if kind in ("sample", "clip") else ["--song", "moved.wav"]
    line = said(capsys, str(MADE), *song)
    assert line == "out/000-again.wav: out/000.wav again, byte for byte"
    assert AGAIN.read_bytes() == MADE.read_bytes()
    assert sorted(path.name for path in Path("out").iterdir()) == ["000-again.wav", "000.wav"]


def test_each_of_several_has_its_own_seed_and_the_models_that_made_it() -> None:
    assert main([*MAKINGS["sample"], "-n", "2"]) == 0
    first, second = (read_recipe(Path(f"out/00{n}.wav")) for n in (0, 1))
    assert (first.seed, second.seed) == (5, 6)
    assert [one.name for one in first.models] == ["latent_prior", "vocoder", "vqvae"]
    assert main(MAKINGS["clip"]) == 0
    assert [one.name for one in read_recipe(MADE).models] == ["vocoder", "wgan_gp"]
    assert read_recipe(MADE).seconds == pytest.approx(64 * 64 / 8000), "its own length"


def test_what_is_missing_or_differs_is_said_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(MAKINGS["variation"]) == 0
    made = str(MADE)
    assert "is a variation of a song (SHA-256" in said(capsys, made, status=1)
    assert "no such file" in said(capsys, made, "--song", "nowhere.wav", status=1)
    write_wav(Path("other.wav"), [], 8000)
    line = said(capsys, made, "--song", "other.wav", status=1)
    assert line.startswith("melodygan: other.wav is not the song that")
    fake.change_params(Path(), {"preprocess": {"loudness_lufs": -30.0}})
    line = said(capsys, made, "--song", "song.wav", status=1)
    assert "another hearing" in line and "preprocess" in line
    weights = Path("models/vqvae/config.json")
    weights.write_text(weights.read_text() + " ")
    line = said(capsys, made, "--song", "song.wav", status=1)
    assert "was made with another vqvae" in line and "dvc checkout" in line
    assert sorted(path.name for path in Path("out").iterdir()) == ["000.wav"]


def test_no_file_is_written_over_another_that_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(MAKINGS["continuation"]) == 0
    before = MADE.read_bytes(), Path("song.wav").read_bytes()
    for out, what in (("out/000.wav", "file"), ("song.wav", "song")):
        line = said(capsys, str(MADE), "--song", "song.wav", "-o", out, status=1)
        assert f"{out} is the {what} itself" in line
    assert "a WAV file" in said(capsys, str(MADE), "--song", "song.wav", "-o", "out", status=1)
    assert (MADE.read_bytes(), Path("song.wav").read_bytes()) == before


def test_a_file_that_was_changed_is_made_as_it_was_and_told_from_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(MAKINGS["sample"]) == 0
    recipe, true = read_recipe(MADE), MADE.read_bytes()
    with with_recipe(MADE, recipe) as file:
        write_wav(file, [], 8000)
    assert "but not its bytes" in said(capsys, str(MADE), "-o", "new/b.wav")
    assert Path("new/b.wav").read_bytes() == true


def test_a_model_is_never_looked_for_outside_of_the_declared_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(MAKINGS["sample"]) == 0
    recipe = read_recipe(MADE)
    stranger = Weights("stranger", "0" * 64)
    with with_recipe(MADE, replace(recipe, models=[*recipe.models, stranger])) as file:
        write_wav(file, [], 8000)
    assert "was made with stranger, which is not here" in said(capsys, str(MADE), status=1)
    with with_recipe(MADE, replace(recipe, label="waltz")) as file:
        write_wav(file, [], 8000)
    assert "label waltz" in said(capsys, str(MADE), status=1)
    assert not AGAIN.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "song.wav"], "song.wav has no recipe inside"),
        (["--recipe", "song.wav", "--seed", "0"], "leave all out but --song and -o"),
        (["--recipe", "song.wav", "--keep-vocals"], "leave all out but --song and -o"),
        (["--song", "song.wav", "-o", "out"], "--song goes with --recipe"),
        (["--label", "beat"], "add -o FOLDER"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", *arguments]) == 1
    assert message in capsys.readouterr().err
