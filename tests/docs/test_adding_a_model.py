"""docs/adding-a-model.md: its blocks, put where it says, make a stage that trains and scores."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake
import pytest
from ruamel.yaml import YAML

from melodygan.audio.mel import MelConfig
from melodygan.models.vocoder.config import VocoderParams
from melodygan.models.vocoder.griffinlim import GriffinLim
from melodygan.models.vocoder.vocoder import Vocoder
from melodygan.pipeline.files import read_rows
from melodygan.pipeline.params import load
from melodygan.training.weights import load_model

PAGE = (Path(__file__).parents[2] / "docs/adding-a-model.md").read_text("utf-8")
FENCED = list(re.finditer(r"^```\w+\n(.*?)^```$", PAGE, re.M | re.S))
# a file's name begins the paragraph above its block
BLOCKS = [(re.findall(r"^`([\w/.]+)`", PAGE[: m.start()], re.M)[-1], m[1]) for m in FENCED]
MODELS = "src/melodygan/models/"
BESIDE = {"dvc.yaml": "stages:\n"}


@pytest.fixture
def extended(make_checkout: Callable[[Path], Path], tmp_path: Path) -> Path:
    """A checkout with the page's blocks in it."""
    return extend(make_checkout(tmp_path))


@pytest.fixture(scope="module")
def learnt(
    make_checkout: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Another, in which the stage has run once, and what it said."""
    place = extend(make_checkout(tmp_path_factory.mktemp("learnt")))
    return place, run(place, "stages/denoiser.py")


def extend(checkout: Path) -> Path:
    """Put the page's blocks into a checkout."""
    for name, text in BLOCKS:
        path = checkout / name
        if name in BESIDE:
            assert BESIDE[name] in path.read_text("utf-8")
            path.write_text(path.read_text("utf-8").replace(BESIDE[name], BESIDE[name] + text, 1))
        elif path.exists():
            path.write_text(path.read_text("utf-8") + text)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return checkout


def run(checkout: Path, *command: str) -> str:
    """Run a Python program of the checkout; all that it said."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MELODYGAN_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), variables["PATH"]])
    done = subprocess.run(
        [sys.executable, *command], cwd=checkout, text=True, check=False, timeout=200,
        env=variables | {"PATH": path, "PYTHONPATH": str(checkout / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def outputs(checkout: Path) -> dict[str, bytes]:
    places = [checkout / "models/denoiser", checkout / "metrics"]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return {path.relative_to(checkout).as_posix(): path.read_bytes() for path in files}


def module(place: Path, name: str) -> Any:
    """The module in a file of the checkout."""
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses look their module up
    try:
        spec.loader.exec_module(loaded)
    finally:
        del sys.modules[name]
    return loaded


def test_the_example_is_at_most_80_lines() -> None:
    lines = [line for _, text in BLOCKS for line in text.splitlines() if line.strip()]
    assert 40 < len(lines) <= 80


def test_the_example_trains_scores_and_ends_with_its_verdict(
    learnt: tuple[Path, str], tmp_path: Path
) -> None:
    extended, said = shutil.copytree(learnt[0], tmp_path / "checkout"), learnt[1]
    scores = json.loads((extended / "metrics/denoiser.json").read_text())
    assert 0 < scores["log_mel_l1"] < 0.5 * scores["baseline_log_mel_l1"]
    verdict = (
        r"^denoiser: log_mel_l1 \S+ \[\S+ to \S+\] \(baseline \S+, ideal 0\): "
        r"works, \d+% of the way from leaving the noise; next: "
    )
    assert re.search(verdict, said, re.M), said
    first = outputs(extended)
    model = {f"models/denoiser/{name}" for name in ("config.json", "weights.safetensors")}
    curves = {f"metrics/denoiser/{name}.tsv" for name in ("train", "validation")}
    run_json = "metrics/denoiser/run.json"
    assert first.keys() == model | curves | {run_json, "metrics/denoiser.json"}
    audio = load(MelConfig, "audio", extended / "params.yaml")
    assert load_model(extended / "models/denoiser", audio)[1]["params"]["channels"] == 64
    said += run(extended, "-m", "dvc", "repro", "--single-item", "denoiser")
    assert outputs(extended) == first
    assert "is up to date" not in said and "didn't change" not in said


def test_the_example_is_heard_and_judged_without_a_line_for_it(
    learnt: tuple[Path, str], tmp_path: Path
) -> None:
    extended = shutil.copytree(learnt[0], tmp_path / "checkout")
    table = YAML().load(extended / "dvc.yaml")
    stages = table["stages"]
    vocoder = ["models/vocoder", "src/melodygan/models/vocoder"]
    code = [dep for dep in stages["generate"]["deps"] if not dep.startswith(("models/", MODELS))]
    stages["generate"]["deps"] = [
        *code, *vocoder, "models/denoiser", f"{MODELS}denoiser", "src/melodygan/scores",
    ]  # fmt: skip
    known = ("metrics/", "models/", MODELS)
    others = [dep for dep in stages["evaluate"]["deps"] if not dep.startswith(known)]
    stages["evaluate"]["deps"] = [*others, "metrics/denoiser.json", "metrics/denoiser/run.json"]
    YAML().dump(table, extended / "dvc.yaml")
    fake.change_params(extended, {"generate": {"seconds": 3.0, "tracks": 1}})
    audio = load(MelConfig, "audio", extended / "params.yaml")
    params = load(VocoderParams, "vocoder", extended / "params.yaml")
    untrained = Vocoder(replace(params, kind="griffinlim"), audio, GriffinLim(audio, 4))
    untrained.save(extended / "models/vocoder")
    run(extended, "stages/generate.py")
    rows = read_rows(extended / "data/generated/index.jsonl")
    assert {row["model"] for row in rows} == {"denoiser", "vocoder"}
    assert (extended / f"data/generated/{rows[0]['name']}.wav").stat().st_size > 10_000
    run(extended, "stages/evaluate.py")
    scores = json.loads((extended / "metrics/evaluate.json").read_text())
    assert scores["generated"]["denoiser"]["reconstruction"]["log_mel_l1"] > 0
    page = (extended / "metrics/report.html").read_text("utf-8")
    assert '<h2 id="denoiser">' in page and "the true sound" in page
    assert "leaving the noise" in page, "the verdict"


def test_the_example_is_searched_without_a_line_for_it(extended: Path) -> None:
    (extended / "tune.yaml").write_text("vqvae: {lr: [0.001, 0.002]}\n")
    fake.change_params(extended, {"denoiser": {"steps": 20}, "features": {"n_mfcc": 8}})
    said = run(extended, "-m", "melodygan.cli", "tune", "denoiser", "--trials", "3")
    assert "tune.yaml has no group denoiser: searching lr, batch_size" in said
    assert re.search(r"^baseline: log_mel_l1 [\d.]+", said, re.M), said
    assert (extended / "metrics/tune/denoiser.html").exists()
    assert not (extended / "models/denoiser").exists()


def test_its_deps_are_exact_and_its_imports_light(extended: Path) -> None:
    place = extended / "tests/pipeline/test_dependencies.py"
    rules = module(place, "dependencies_of_the_example")
    assert "denoiser" in rules.STAGES
    rules.test_a_stage_declares_exactly_the_code_it_imports("denoiser")
    rules.test_lists_are_sorted_and_the_command_is_the_stages_script("denoiser")
    rules.test_models_and_training_import_nothing_heavy()


def test_its_params_are_known_to_the_doctor(extended: Path) -> None:
    check = "import melodygan.commands.groups as g; print(g.groups()['denoiser'].__name__)"
    assert "DenoiserParams" in run(extended, "-c", check)


def test_the_code_is_formatted_and_linted_as_the_projects_own_is(extended: Path) -> None:
    files = [name for name, _ in BLOCKS if name.endswith(".py")]
    settings = ("--config", str(Path(__file__).parents[2] / "pyproject.toml"), *files)
    run(extended, "-m", "ruff", "check", *settings)
    run(extended, "-m", "ruff", "format", "--check", *settings)
