"""The `melodygan` command as users meet it: help, errors in one line, a song converted."""

import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from melodygan.audio.mel import MelConfig
from melodygan.blocks.scale import Scale
from melodygan.cli import main
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import TrainedCycleGAN, make_generator
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.params import load

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "app",
    "check",
    "explore",
    "lock",
    "doctor",
    "preset",
    "repro",
    "prune",
    "convert",
    "import-vocoder",
    "export",
    "generate",
    "play",
    "tune",
    "scale",
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this repository's params.yaml and presets."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def song(repository: Path) -> Path:
    """Three seconds of a stereo chord at 44.1 kHz, and models that were never trained."""
    audio, vocoder = load(MelConfig, "audio"), load(VocoderParams, "vocoder")
    params = load(CycleGANParams, "cyclegan")
    generators = {
        direction: make_generator(params, audio.n_mels)
        for direction in (("jazz", "rock"), ("rock", "jazz"))
    }
    TrainedCycleGAN(generators, params, audio, Scale(2.0)).save(Path("models/cyclegan"))
    without_network = replace(vocoder, kind="griffinlim")
    Vocoder(without_network, audio, GriffinLim(audio, 4)).save(Path("models/vocoder"))
    deps = ["models/cyclegan", "models/vocoder"]
    Path("dvc.yaml").write_text(f"stages: {{generate: {{cmd: x, deps: {deps}}}}}")
    time = np.arange(3 * 44100) / 44100
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 277.2, 329.6)) / 12
    soundfile.write("song.flac", np.stack([chord, 0.5 * chord], axis=1), 44100)
    return repository / "song.flac"


def test_help_lists_every_command_and_loads_no_torch() -> None:
    script = (
        "import sys\nfrom melodygan.cli import main\n"
        "try:\n    main(['--help'])\nfinally:\n    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("False\n")
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("    ")}
    assert listed.issuperset(COMMANDS)


def test_outside_the_repository_one_line_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prune"]) == 1
    told = capsys.readouterr()
    assert told.err == (
        "melodygan: no params.yaml here: run this in the repository's root folder\n"
    )
    assert told.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["repro", "-j", "0"],
        ["prune", "--max-gb", "-1"],
        ["tune", "vqvae", "--trials", "5", "--minutes", "3"],
        ["tune", "vqvae", "--minutes", "0"],
        ["prune", "--max-days=nan"],
        ["convert", "a.wav", "--to", "rock", "-o", "b.wav", "--strength", "1.5"],
    ],
)
def test_impossible_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_a_preset_tells_what_it_changed(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preset", "hifigan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["audio.n_mels: 128 -> 80", "audio.fmax: 11025.0 -> 8000.0"]
    # the shipped vocoder is for the mel before
    assert "vocoder.init: shipped -> scratch" in lines
    assert all(line.startswith("vocoder.") for line in lines[2:])
    assert main(["preset", "hifigan"]) == 0
    assert "already has" in capsys.readouterr().out
    assert main(["preset", "small"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_lock_resolves_the_demo(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "data").mkdir()
    (repository / "data/sources.yaml").write_text("sources:\n  - demo: {tracks: 4, seconds: 2}\n")
    assert main(["lock"]) == 0
    assert "4 tracks locked" in capsys.readouterr().out
    assert (repository / "data/sources.lock.yaml").exists()


def test_a_whole_song_is_converted_to_16_bit_mono_of_its_own_length(song: Path) -> None:
    assert main(["convert", str(song), "--to", "rock", "-o", "out/new.wav"]) == 0
    info = soundfile.info("out/new.wav")
    assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_16")
    assert 0 <= 3 * 22050 - info.frames < 256
    first = Path("out/new.wav").read_bytes()
    assert main(["convert", str(song), "--from", "jazz", "--to", "rock", "-o", "out/new.wav"]) == 0
    assert Path("out/new.wav").read_bytes() == first
    assert [path.name for path in Path("out").iterdir()] == ["new.wav"]


def test_of_three_labels_the_songs_own_is_asked_for(
    song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio, params = load(MelConfig, "audio"), load(CycleGANParams, "cyclegan")
    networks = {label: make_generator(params, audio.n_mels) for label in ("jazz", "pop", "rock")}
    generators = {way: networks[way[1]] for way in permutations(networks, 2)}
    TrainedCycleGAN(generators, params, audio, Scale(2.0)).save(Path("models/cyclegan"))
    arguments = ["convert", str(song), "--to", "rock", "-o", "a.wav"]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert "cyclegan converts to rock from jazz, pop: say with --from" in told
    assert told.count("\n") == 1 and not Path("a.wav").exists()
    assert main([*arguments, "--from", "pop"]) == 0
    assert "pop to rock" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["song.flac", "--to", "polka", "-o", "a.wav"],
            "converts to polka (trained: jazz",
        ),
        (
            ["song.flac", "--to", "rock", "--from", "rock", "-o", "a.wav"],
            "converts rock to rock",
        ),
        (["song.flac", "--to", "rock", "-o", "a.mp3"], "a name that ends in .wav"),
        (["absent.mp3", "--to", "rock", "-o", "a.wav"], "absent.mp3: No such file"),
        (["params.yaml", "--to", "rock", "-o", "a.wav"], "params.yaml: not decodable"),
        (
            ["silent.wav", "--to", "rock", "-o", "a.wav"],
            "silent.wav: the instrumental of it is silent",
        ),
        (["short.wav", "--to", "rock", "-o", "a.wav"], "short.wav: shorter than 1024 samples"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line(
    song: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    soundfile.write("silent.wav", np.zeros(44100), 44100)
    soundfile.write("short.wav", np.ones(441) / 2, 44100)
    assert main(["convert", *arguments]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not Path("a.wav").exists()


def test_vocals_are_laid_back_in_stereo_over_the_converted_instrumental(song: Path) -> None:
    arguments = ["convert", str(song), "--to", "rock", "-o", "with.wav", "--keep-vocals"]
    assert main(arguments) == 0
    info = soundfile.info("with.wav")
    assert (info.samplerate, info.channels, info.subtype) == (44100, 2, "PCM_16")
    assert info.frames == 3 * 44100


def test_a_folder_of_songs_becomes_a_folder_and_other_files_are_named(
    song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = song.parent / "songs"
    folder.mkdir()
    shutil.copy(song, folder / "one.flac")
    shutil.copy(song, folder / "two.flac")
    (folder / "notes.txt").write_text("not a song")
    assert main(["convert", str(folder), "--to", "rock", "-o", "new"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["new/one.wav:", "new/two.wav:", "not"]
    assert "notes.txt" in lines[2]
    assert sorted(path.name for path in Path("new").iterdir()) == ["one.wav", "two.wav"]
    (folder / "two.flac").unlink()
    (folder / "one.flac").unlink()
    assert main(["convert", str(folder), "--to", "rock", "-o", "new"]) == 1
    assert "no files of audio in it" in capsys.readouterr().err


def test_models_that_were_never_trained_are_asked_for(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "song.flac", "--to", "rock", "-o", "a.wav"]) == 1
    assert "dvc repro" in capsys.readouterr().err
