import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from melodygan.audio.pieces import Float
from melodygan.pipeline import UserError
from melodygan.separation import separate
from melodygan.separation.model_folder import DEMO_FOLDER, fingerprint, provide
from melodygan.separation.separate import StemSeparator
from melodygan.separation.si_sdr import si_sdr
from melodygan.sources.demo import LABELS, DemoTrack, render_track


@pytest.fixture(scope="module")
def track() -> DemoTrack:
    return render_track(LABELS[0], 0, 6.0, 0)


def test_the_stems_sum_to_the_mix(demo_separator: StemSeparator, track: DemoTrack) -> None:
    stems = demo_separator.separate(track.mix)
    assert {stem: audio.shape for stem, audio in stems.items()} == {
        "vocals": track.mix.shape,
        "instrumental": track.mix.shape,
    }
    np.testing.assert_allclose(stems["vocals"] + stems["instrumental"], track.mix, atol=1e-6)


@pytest.mark.parametrize("label", LABELS)
def test_the_shipped_model_gains_8_db_on_a_song_it_never_heard(
    demo_separator: StemSeparator, label: str
) -> None:
    track = render_track(label, 1, 8.0, 0)
    stems = demo_separator.separate(track.mix)
    pairs = ((stems["vocals"], track.vocals), (stems["instrumental"], track.mix - track.vocals))
    gains = [si_sdr(stem, truth) - si_sdr(track.mix, truth) for stem, truth in pairs]
    assert np.mean(gains) > 8


def test_the_level_of_the_mix_does_not_matter(
    demo_separator: StemSeparator, track: DemoTrack
) -> None:
    loud, quiet = (demo_separator.separate(gain * track.mix)["vocals"] for gain in (1.0, 0.3))
    np.testing.assert_allclose(quiet, 0.3 * loud, atol=1e-5)


def test_a_long_mix_is_separated_in_pieces_as_if_in_one(
    demo_separator: StemSeparator, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = render_track(LABELS[0], 0, 15.0, 0).mix
    mix[: 6 * 44100] *= 0.3  # pieces with unlike peaks
    whole = demo_separator.separate(mix)["vocals"]
    monkeypatch.setattr(separate, "LONGEST", 5 * 44100)
    sizes = []
    run = StemSeparator._run

    def counted(separator: StemSeparator, piece: Float) -> Float:
        sizes.append(len(piece))
        return run(separator, piece)

    monkeypatch.setattr(StemSeparator, "_run", counted)
    pieces = demo_separator.separate(mix)["vocals"]
    assert len(sizes) == 3 and max(sizes) < 13 * 44100
    error = np.square(pieces - whole).reshape(-1, 4410 * 2).sum(1)  # of each tenth of a second
    # the segments at the very end depend on the length in any case
    assert 10 * np.log10(error[:-60].max() / np.square(whole).sum() * len(error)) < -50


def test_silence_gives_silent_stems(demo_separator: StemSeparator) -> None:
    stems = demo_separator.separate(np.zeros((5000, 2), np.float32))
    assert all(audio.shape == (5000, 2) and not audio.any() for audio in stems.values())


def test_a_mix_of_a_few_samples_is_separated(demo_separator: StemSeparator) -> None:
    mix = np.full((100, 2), 0.5, np.float32)
    assert demo_separator.separate(mix)["vocals"].shape == (100, 2)


def test_the_library_stays_quiet_and_leaves_the_process_as_it_was(
    track: DemoTrack, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", "/nowhere")
    before = dict(os.environ), list(warnings.filters)
    StemSeparator("demo").separate(track.mix[:44100])
    assert (dict(os.environ), list(warnings.filters)) == before
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


LOADING = """
import sys
from melodygan.separation.separate import StemSeparator
separator, hooks = StemSeparator("demo"), [type(hook).__name__ for hook in sys.meta_path]
print("torch._dynamo" in sys.modules, "_Deferring" in hooks)
import onnx2torch
print(callable(onnx2torch.convert), "torch._dynamo" in sys.modules)
"""


def test_a_model_is_loaded_without_torchs_compiler_which_is_there_when_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["False False", "True True"], done.stderr


def test_an_unknown_model_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    # lists that do not know the model, as they would have been downloaded
    shutil.copytree(DEMO_FOLDER, tmp_path / ".cache/uvr-models/Nonsense.onnx")
    with pytest.raises(
        UserError, match=r"cannot use `Nonsense.onnx` \(ValueError: .*demo"
    ) as error:
        StemSeparator("Nonsense.onnx")
    assert "\n" not in str(error.value)


def test_without_a_network_a_uvr_model_gives_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="cannot use `Kim_Vocal_2") as error:
        provide("Kim_Vocal_2.onnx")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / ".cache/uvr-models").iterdir())


def test_a_damaged_model_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    folder = tmp_path / ".cache/uvr-models/melodygan_demo.onnx"
    shutil.copytree(DEMO_FOLDER, folder)
    (folder / "melodygan_demo.onnx").write_bytes(b"cut off")
    with pytest.raises(UserError, match="cannot use `melodygan_demo"):
        StemSeparator("melodygan_demo.onnx")


def test_a_path_is_not_a_model() -> None:
    with pytest.raises(UserError, match="file name of a UVR model"):
        provide("../model.onnx")


def test_the_fingerprint_knows_the_model_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    folder = tmp_path / ".cache/uvr-models/other.onnx"
    shutil.copytree(DEMO_FOLDER, folder)
    before = fingerprint("other.onnx")
    (folder / "melodygan_demo.onnx").write_bytes(b"another model")
    after = fingerprint("other.onnx")
    assert before["sha256"] != after["sha256"]
    assert after["audio_separator"] == before["audio_separator"] == "0.47.1"
