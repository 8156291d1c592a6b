"""Public checkpoints: read strictly, as tensors only, and only with their own mel."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import numpy as np
import pytest
import torch
import yaml
from torch import nn

from melodygan.audio.layout import to_network
from melodygan.audio.mel import MelConfig, log_mel
from melodygan.cli import main
from melodygan.models.vocoder.adversarial import Panel
from melodygan.models.vocoder.hifigan.discriminators import MultiPeriod, MultiScale
from melodygan.models.vocoder.hifigan.network import HiFiGAN
from melodygan.models.vocoder.imports import universal
from melodygan.models.vocoder.melgan.network import MelGAN
from melodygan.models.vocoder.model import load
from melodygan.pipeline import UserError

HIFIGAN_MEL = MelConfig(22050, 1024, 256, 1024, 80, 0.0, 8000.0)
CONFIG = {
    "resblock": "2", "upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 16, "resblock_kernel_sizes": [3, 5, 7],
    "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]], "num_mels": 80, "n_fft": 1024,
    "hop_size": 256, "win_size": 1024, "sampling_rate": 22050, "fmin": 0, "fmax": 8000,
}  # fmt: skip


@pytest.fixture
def speech_project(project: Path) -> Path:
    """A project with the mel of public HiFi-GAN checkpoints."""
    fake.change_params(project, {"audio": HIFIGAN_MEL.as_dict()})
    return project


def old_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names that weight norm had when the public checkpoints were written."""
    renamed = {}
    for name, tensor in weights.items():
        name = name.replace("parametrizations.weight.original0", "weight_g")
        renamed[name.replace("parametrizations.weight.original1", "weight_v")] = tensor
    return renamed


def write_hifigan(folder: Path, **changes: Any) -> tuple[Path, HiFiGAN]:
    """A small generator in the public form."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    network = HiFiGAN(80, 16, [8, 8, 4], 2).eval()
    path = folder / "g_02500000"
    torch.save({"generator": old_names(network.state_dict())}, path)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return path, network


def test_a_public_hifigan_sounds_as_its_weights_do(speech_project: Path) -> None:
    path, network = write_hifigan(speech_project / "public")
    assert main(["import-vocoder", str(path)]) == 0
    vocoder = load(Path("models/vocoder"), HIFIGAN_MEL)
    mel = np.random.default_rng(0).normal(-4, 1, (20, 80)).astype(np.float32)
    with torch.no_grad():
        assert np.array_equal(vocoder.synthesise(mel), network(to_network(mel))[0].numpy())


def test_a_public_melgan_hears_base_ten(project: Path) -> None:
    audio = replace(HIFIGAN_MEL, fmax=11025.0)
    fake.change_params(project, {"audio": audio.as_dict()})
    network = MelGAN(80, 32, [8, 8, 2, 2]).eval()
    torch.save(old_names(network.state_dict()), "multi_speaker.pt")
    assert main(["import-vocoder", "multi_speaker.pt"]) == 0
    mel = np.random.default_rng(0).normal(-4, 1, (6, 80)).astype(np.float32)
    with torch.no_grad():
        base_ten = network.model(to_network(mel) / np.log(10))[0, 0].numpy()
    sound = load(Path("models/vocoder"), audio).synthesise(mel)
    assert sound == pytest.approx(base_ten, abs=1e-6)


def test_another_mel_is_refused_with_both_and_the_preset_that_fits(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = write_hifigan(project / "public")
    assert main(["import-vocoder", str(path)]) == 1
    said = capsys.readouterr().err
    assert "fmax=8000.0" in said and "fmax=4000.0" in said
    assert "melodygan preset hifigan" in said
    assert len(said.splitlines()) == 1 and not Path("models/vocoder").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upsample_initial_channel": 32}, "not those of the network"),
        ({"resblock_kernel_sizes": [3, 5, 9]}, "not those of V1, V2 or V3"),
        ({"hop_size": "x"}, "mel mismatch"),
        ({"upsample_rates": 8}, "not the config.json of a HiFi-GAN"),
    ],
)
def test_a_checkpoint_that_is_not_what_its_config_says_is_refused(
    speech_project: Path, capsys: pytest.CaptureFixture[str], changes: Any, message: str
) -> None:
    path, _ = write_hifigan(speech_project / "public", **changes)
    assert main(["import-vocoder", str(path)]) == 1
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1


def old_discriminators(network: nn.Module) -> dict[str, torch.Tensor]:
    """The names of public discriminators, of which the first of MSD is spectrally normalised."""
    names = {
        "parametrizations.weight.original": "weight_orig",
        "parametrizations.weight.0._u": "weight_u",
        "parametrizations.weight.0._v": "weight_v",
    }
    renamed = {}
    for name, tensor in old_names(network.state_dict()).items():
        for new, old in names.items():
            name = name.replace(new, old) if name.endswith(new) else name
        renamed[name] = tensor
    return renamed


def write_sounds(project: Path) -> None:
    """Tracks to fine-tune on."""
    rng = np.random.default_rng(0)
    tracks = [
        fake.of_sound(f"t{i}", "pop", split, (3000 * rng.standard_normal(22050)).astype(np.int16),
                      HIFIGAN_MEL)
        for i, split in enumerate(("train", "train", "validation", "test"))
    ]  # fmt: skip
    fake.write_clean(project / "data/clean", tracks)
    fake.write_features(project / "data/features", tracks, HIFIGAN_MEL)
    dvc = yaml.safe_load(Path("dvc.yaml").read_text())
    dvc["stages"]["vocoder"]["deps"].append("public-vocoder")
    Path("dvc.yaml").write_text(yaml.safe_dump(dvc))
    own = {"channels": 16, "rates": [8, 8, 4], "block": 2, "discriminator_channels": 4, "steps": 40}
    values = {"kind": "hifigan", "init": "public-vocoder", "hifigan": own}
    fake.change_params(project, {"vocoder": values})


def test_fine_tuning_goes_on_with_the_imported_discriminators(
    speech_project: Path, make, params
) -> None:
    path, generator = write_hifigan(speech_project / "public")
    panel = Panel(MultiPeriod(4), MultiScale(4))
    saved = {"mpd": old_discriminators(panel.families[0]), "steps": 7, "epoch": 1,
             "msd": old_discriminators(panel.families[1]), "optim_g": {}}  # fmt: skip
    torch.save(saved, path.with_name("do_02500000"))
    assert main(["import-vocoder", str(path), "--out", "public-vocoder"]) == 0
    write_sounds(speech_project)
    task = make("vocoder", params("vocoder"))
    for network, wanted in ((task.panel, panel), (task.network, generator)):
        for name, value in wanted.state_dict().items():
            assert torch.equal(network.state_dict()[name], value), name
    batch = task.batch(np.random.default_rng(0))
    assert [update.optimiser for update in task.updates(batch, 0)] == ["discriminator", "generator"]
    other = replace(params("vocoder").hifigan, discriminator_channels=8)
    with pytest.raises(UserError, match="discriminator_channels"):
        make("vocoder", params("vocoder", hifigan=other))


def test_new_discriminators_catch_up_before_they_change_an_imported_generator(
    speech_project: Path, make, params
) -> None:
    path, _ = write_hifigan(speech_project / "public")
    assert main(["import-vocoder", str(path), "--out", "public-vocoder"]) == 0
    write_sounds(speech_project)
    task = make("vocoder", params("vocoder"))
    batch = task.batch(np.random.default_rng(0))
    said = [[update.optimiser for update in task.updates(batch, step)] for step in (0, 1, 2)]
    assert said == [["discriminator"], ["discriminator"], ["discriminator", "generator"]]
    scratch = make("vocoder", params("vocoder", init="scratch"))
    assert len(list(scratch.updates(batch, 0))) == 2


def test_what_is_no_discriminator_is_refused_before_anything_is_written(
    speech_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = write_hifigan(speech_project / "public")
    torch.save({"optim_d": {}}, path.with_name("do_02500000"))
    assert main(["import-vocoder", str(path), "--out", "public-vocoder"]) == 1
    said = capsys.readouterr().err
    assert "no `mpd` or `msd`" in said and len(said.splitlines()) == 1
    assert not Path("public-vocoder").exists()


class _Trap:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize("content", [{"generator": _Trap()}, [1, 2], {"x": torch.zeros(1)}])
def test_what_is_not_a_checkpoint_of_tensors_runs_nothing(
    speech_project: Path, capsys: pytest.CaptureFixture[str], content: Any
) -> None:
    torch.save(content, "g_00000001")
    (speech_project / "config.json").write_text(json.dumps(CONFIG))
    assert main(["import-vocoder", "g_00000001"]) == 1
    assert not Path("sprung").exists()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_universal_hifigan_speaks(speech_project: Path) -> None:
    """The real public weights turn a mel into sound that has that mel, far nearer than noise."""
    try:
        universal()
    except UserError:
        pytest.skip("needs `uv sync --extra hifigan`")
    assert main(["import-vocoder", "universal"]) == 0
    vocoder = load(Path("models/vocoder"), HIFIGAN_MEL)
    assert sum(weight.numel() for weight in vocoder.network.parameters()) == 13_936_130
    time = np.arange(22016) / 22050
    voiced = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 40))
    sound = (0.1 * voiced * (1 + np.sin(2 * np.pi * 3 * time))).astype(np.float32)
    mel = log_mel(sound, HIFIGAN_MEL)
    made = vocoder.synthesise(mel)
    assert made.shape == sound.shape
    assert np.abs(log_mel(made, HIFIGAN_MEL) - mel)[4:-4].mean() < 0.5
