"""Model folders from anywhere: one line for each that this project did not write as it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from melodygan.audio.mel import MelConfig
from melodygan.models.cyclegan.config import CycleGANParams
from melodygan.models.cyclegan.model import Scale, TrainedCycleGAN
from melodygan.models.cyclegan.network import Generator
from melodygan.pipeline.errors import UserError

AUDIO = MelConfig(8000, 256, 64, 256, 32, 0.0, 4000.0)
PARAMS = CycleGANParams(
    steps=1, batch_size=1, lr=0.1, validate_every=1, patience=0, max_minutes=0.0, sample_every=0,
    labels=["a", "b"], frames=32, generator="resnet", width=2, blocks=1, residual=False, cycle=1.0,
    identity=0.0, chroma=0.0, onset=0.0, calibrate=False, pool=0,
    spectral_norm=False, transpose=0, stretch=0.0, mask=0.0,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    pairs = {("a", "b"): Generator(2, 1), ("b", "a"): Generator(2, 1)}
    TrainedCycleGAN(pairs, PARAMS, AUDIO, Scale(2.0)).save(tmp_path / "cyclegan")
    return tmp_path / "cyclegan"


def configured(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(change(config) or config))

    return apply


def weighted(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "weights.safetensors"
        changed = change(load_file(path))
        save_file({name: value.contiguous() for name, value in changed.items()}, path)

    return apply


def written(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def sized(key: str, value: int) -> Callable[[Path], None]:
    return configured(lambda config: config["params"].update({key: value}))


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "a list": (configured(lambda config: [config]), "it is not an object"),
    "no params": (configured(lambda config: config.pop("params") and None), "it has no `params`"),
    "nested": (written("config.json", b"[" * 100_000), "nested too deeply"),
    "not a number": (written("config.json", b'{"top": NaN}'), "NaN is no number"),
    "no mel": (configured(lambda config: config.update(audio=7)), "mel mismatch"),
    "top is text": (configured(lambda config: config.update(top="x")), "`top` must be a number"),
    "top is endless": (configured(lambda c: c.update(top=10**400)), "`top` must be a number"),
    "directions": (configured(lambda c: c.update(directions=[["a"]])), "a list of pairs of names"),
    "a name for a terminal": (
        configured(lambda c: c.update(directions=[["a", "\x1b[2J"]])),
        "a list of pairs of names",
    ),
    "a huge width": (sized("width", 100_000), "but config.json asks for"),
    "a width beyond all": (sized("width", 10**30), "asks for a network that the weights are not"),
    "many blocks": (sized("blocks", 10**9), "asks for a network that the weights are not"),
    "no weights": (written("weights.safetensors", b""), "weights unreadable"),
    "a pickle": (written("weights.safetensors", b"\x80\x04\x95K."), "weights unreadable"),
    "a header that promises more": (
        written("weights.safetensors", (2**62).to_bytes(8, "little") + b"{}"),
        "weights unreadable",
    ),
    "other shapes": (
        weighted(lambda w: {n: v[..., :1] if v.dim() else v for n, v in w.items()}),
        "but config.json asks for",
    ),
    "another type": (
        weighted(lambda w: {n: v.double() for n, v in w.items()}),
        "are torch.float64",
    ),
    "a type of one byte": (
        weighted(lambda w: {n: v.to(torch.float8_e4m3fn) for n, v in w.items()}),
        "are torch.float8_e4m3fn",
    ),
    "a tensor missing": (weighted(lambda w: dict(list(w.items())[1:])), "asks for a network"),
    "a tensor more": (
        weighted(lambda w: w | {"0.x": torch.ones(1)}),
        "but config.json asks for none",
    ),
    "NaN": (weighted(lambda w: {n: v * float("nan") for n, v in w.items()}), "are not finite"),
    "infinity": (weighted(lambda w: {n: v / 0 for n, v in w.items()}), "are not finite"),
}


def test_what_was_saved_is_loaded(folder: Path) -> None:
    model = TrainedCycleGAN.load(folder, AUDIO)
    torch.manual_seed(0)
    for generator in (Generator(2, 1), Generator(2, 1)):
        wanted = generator.state_dict()
        found = model.generators.pop(next(iter(model.generators))).state_dict()
        assert all(torch.equal(found[name], value) for name, value in wanted.items())


@pytest.mark.parametrize("how", BAD)
def test_a_foreign_model_is_refused_in_one_line(folder: Path, how: str) -> None:
    spoil, words = BAD[how]
    spoil(folder)
    with pytest.raises(UserError) as error:
        TrainedCycleGAN.load(folder, AUDIO)
    assert words in str(error.value) and str(folder) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_a_folder_in_a_files_place_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(UserError, match="cyclegan"):
        TrainedCycleGAN.load(folder, AUDIO)
