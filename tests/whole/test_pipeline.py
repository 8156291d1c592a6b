"""What a user does with the pipeline, done for real."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile

STAGES = [
    "download", "separate", "preprocess", "features", "data_report", "vqvae", "latent_gan",
    "latent_prior", "cyclegan", "pix2pix", "wgan_gp", "autoencoder", "feature_gan", "vocoder",
    "generate", "evaluate",
]  # fmt: skip


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def test_every_stage_leaves_its_metrics_with_the_agreed_keys(project) -> None:
    keys = {
        "separate": ["si_sdr_improvement_db.mean", "si_sdr_improvement_db.min"],
        "preprocess": ["tracks.accepted", "tracks.rejected", "minutes.total", "rejects"],
        "vqvae": [
            "log_mel_l1",
            "baseline_log_mel_l1",
            "perplexity",
            "codebook_use",
            "codebook_size",
        ],
        "latent_prior": [
            "time_distance.value",
            "memorisation.copied",
            *(f"label_accuracy.{name}" for name in ("value", "floor", "copies", "chance")),
        ],
        "latent_gan": [
            f"{name}.{anchor}"
            for name in (
                "kernel_distance",
                "frechet_distance",
                "time_distance",
                "order_auc",
                "memorisation",
            )
            for anchor in ("value", "floor", "copies", "shuffled", "noise")
        ],
        "cyclegan": [
            f"{direction}.{name}.{anchor}"
            for direction in ("swing_to_pop", "pop_to_swing", "mean")
            for name in ("style_probability", "chroma", "onset_correlation", "shortfall")
            for anchor in (
                "value",
                "identity",
                "chance",
                "random_target",
                "equaliser",
                "transport",
            )
        ],
        "pix2pix": [
            f"{name}.{anchor}"
            for name in ("log_mel_l1", "si_sdr_db")
            for anchor in ("value", "identity", "average_mask", "separator")
        ],
        "wgan_gp": [
            *(
                f"{name}.{anchor}"
                for name in ("kernel_distance", "time_distance", "label_distance")
                for anchor in ("value", "gaussian", "gaussian_levels", "floor", "noise")
            ),
            "label_accuracy.value",
            "train_on_generated.value",
            "diversity.value",
            "labels.pop.kernel_distance.gaussian",
        ],
        "autoencoder": [f"reconstruction.{name}" for name in ("value", "pca", "mean")],
        "feature_gan": [
            "reconstruction.value",
            "reconstruction.pca",
            "augmentation_probability.real_only",
            *(
                f"{name}.{anchor}"
                for name in ("kernel_distance", "memorisation", "label_accuracy")
                for anchor in ("value", "floor", "copies", "gaussian", "noise")
            ),
        ],
        "vocoder": [
            f"{name}.{anchor}"
            for name in ("log_mel_l1", "m_stft")
            for anchor in ("value", "untrained", "oracle", "griffin_lim_32")
        ],
        "evaluate": [
            "generated.vqvae.reconstruction.log_mel_l1",
            "generated.latent_gan.sample.time_distance",
            "generated.cyclegan.conversion.pop_to_swing.shortfall",
            "generated.pix2pix.extraction.log_mel_l1",
        ],
    }
    for stage, expected in keys.items():
        found = dict(numbers(json.loads((project.root / f"metrics/{stage}.json").read_text())))
        assert set(expected) <= found.keys(), stage
        plain = [v for v in found.values() if isinstance(v, float)]
        assert all(math.isfinite(value) for value in plain), stage


def test_there_is_something_to_hear_and_to_see(project) -> None:
    index = (project.root / "data/generated/index.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in index]
    made = {(row["model"], row["kind"]) for row in rows}
    assert made == {
        ("latent_gan", "sample"),
        ("latent_prior", "sample"),
        ("wgan_gp", "sample"),
        ("feature_gan", "sample"),
        ("vqvae", "reconstruction"),
        ("vocoder", "reconstruction"),
        ("cyclegan", "conversion"),
        ("pix2pix", "extraction"),
    }
    for row in rows:
        audio, rate = soundfile.read(project.root / f"data/generated/{row['name']}.wav")
        assert rate == 22050 and len(audio) == 256 * row["frames"]
        assert np.abs(audio).max() > 1e-3
    for model, kind in made:
        pictures = list((project.root / "metrics/generate").glob(f"{model}-{kind}s-*.png"))
        assert pictures and pictures[0].read_bytes().startswith(b"\x89PNG")


def test_the_page_has_every_model_and_the_stems_and_a_copy_of_it_the_times(project) -> None:
    project.run("melodygan", "report", "-o", "mail.html")
    page, copy = (
        (project.root / name).read_text("utf-8") for name in ("metrics/report.html", "mail.html")
    )
    trained = {path.parent.name for path in (project.root / "metrics").glob("*/run.json")}
    untrained = {"download", "separate", "preprocess", "features", "data_report"}
    assert trained == set(STAGES) - untrained - {"generate", "evaluate"}
    for stage in (*trained, "separate"):
        assert f'<h2 id="{stage}">' in page
    assert "true vocals" in page
    times = copy[copy.index("How long it took") :]
    assert "not known" not in times
    assert all(f"<td>{stage}</td><td>cpu</td>" in times for stage in trained)
    assert copy.startswith(page[: page.index("How long it took")])


def test_a_second_run_does_nothing(project) -> None:
    assert ran(project.dvc("repro")) == []


def test_an_experiment_reruns_its_stage_and_what_depends_on_it(project) -> None:
    output = project.dvc("exp", "run", "-S", "autoencoder.lr=3e-3")
    assert ran(output) == ["autoencoder", "feature_gan", "generate", "evaluate"]
    diff = json.loads(project.dvc("metrics", "diff", "--json"))
    assert diff["metrics/autoencoder.json"]["reconstruction.value"]["diff"] != 0
    assert "metrics/vocoder.json" not in diff
    project.run("git", "checkout", "-q", "params.yaml", "dvc.lock", "metrics")
    assert ran(project.dvc("repro")) == []  # the former results come back from the cache


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("src/melodygan/models/cyclegan/network.py", {"cyclegan", "generate"}),
        ("src/melodygan/models/vocoder/magnet/network.py", {"vocoder", "generate"}),
        ("src/melodygan/models/pix2pix/network.py", {"pix2pix", "generate"}),
        ("src/melodygan/separation/si_sdr.py", {"separate", "pix2pix"}),
        ("src/melodygan/blocks/patchgan.py", {"cyclegan", "pix2pix", "generate"}),
        ("src/melodygan/evaluation/page.py", {"evaluate"}),
    ],
)
def test_editing_one_room_leaves_the_others_alone(project, file: str, stale: set[str]) -> None:
    path = project.root / file
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    try:
        status = json.loads(project.dvc("status", "--json"))
    finally:
        path.write_text(before)
    assert status.keys() == stale


def test_plots_are_one_page_that_needs_no_network(project) -> None:
    project.dvc("plots", "show", "-o", "plots_out")
    page = (project.root / "plots_out/index.html").read_text()
    models = ("vqvae", "latent_gan", "latent_prior", "cyclegan", "pix2pix", "wgan_gp", "vocoder")
    for stage in models:
        assert f"metrics/{stage}/samples" in page
    assert not re.search(r"<(script|link)[^>]*(src|href)=\"https?://", page)
