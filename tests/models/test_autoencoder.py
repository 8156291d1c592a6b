"""The autoencoder of pooled vectors: learning against principal components, and its examples."""

from collections.abc import Sequence
from pathlib import Path

import fake
import numpy as np
import pytest
import torch

from melodygan.audio.features import mfcc, pooled
from melodygan.audio.mel import LOG_SILENCE
from melodygan.models.autoencoder.model import TrainedAutoencoder
from melodygan.models.autoencoder.network import PCA
from melodygan.models.autoencoder.training import AutoencoderTask, Equalisers
from melodygan.pipeline import Stage, UserError
from melodygan.training.data import Data
from melodygan.training.loop import train
from melodygan.training.outlet import Outlet
from melodygan.training.verdict import Outcome, verdict

ENDED = Outcome(60, 60, 1.0, "", 1, False, ())
AGAINST = "2 principal components"
FAILED = f"no better than {AGAINST}, 0% of the way"
CURVED = {"latent": 2, "widths": [64], "mixup": 0.0, "equaliser": 0.0, "lr": 3e-3,
          "batch_size": 64, "steps": 300, "validate_every": 50}  # fmt: skip


def sliding() -> list[fake.FakeTrack]:
    """One broad tone that moves: two numbers say it all, but no two axes do."""
    tracks = []
    for number, split in enumerate(fake.SPLITS):
        rng = np.random.default_rng(number)
        place = np.repeat(rng.uniform(4, 28, 20), 32)[:, None]
        tone = np.exp(-(((np.arange(fake.AUDIO.n_mels)[None] - place) / 4.0) ** 2))
        mel = (LOG_SILENCE + 11.0 * tone).astype(np.float32)
        tracks.append(fake.FakeTrack(f"slide-{number}", "slide", split, mel))
    return tracks


@pytest.fixture
def curved(project: Path) -> Path:
    fake.write_features(project / "data/features", sliding())
    return project


def test_it_starts_as_principal_components_and_learns_what_they_miss(
    curved: Path, make, trained, params
) -> None:
    values = params("autoencoder", **CURVED)
    before = make("autoencoder", values).test()["reconstruction"]
    assert before["value"] == pytest.approx(before["pca"], rel=1e-3)
    task = trained("autoencoder", values)
    scores = task.test()
    after = scores["reconstruction"]
    assert after["value"] < 0.7 * after["pca"] < after["pca"] < after["mean"]
    assert f"weak, but better than {AGAINST}, " in (
        said := verdict("autoencoder", task.outcome, task.claim(scores))
    )
    assert "no better" not in said and "no difference" not in said

    again = TrainedAutoencoder.load(Path("models/autoencoder"), fake.AUDIO)
    vectors = task.held_out.values
    assert np.array_equal(again.encode(vectors), task.model.encode(vectors))
    assert np.array_equal(again.decode(again.encode(vectors)), task.model.decode(
        task.model.encode(vectors)))  # fmt: skip
    assert again.encode(vectors).shape == (len(vectors), 2)


def test_one_that_has_learnt_from_noise_or_from_other_columns_is_told_so(
    curved: Path, make, trained, misled, params
) -> None:
    values = params("autoencoder", **(CURVED | {"steps": 30}))
    wrong = misled("autoencoder", values, fake.noise(sliding()), sliding())
    assert FAILED in verdict("autoencoder", ENDED, wrong.claim(wrong.test()))
    mixed = make("autoencoder", values)
    order = torch.randperm(88, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mixed.model.network.inward.weight.copy_(mixed.model.network.inward.weight[:, order])
    assert FAILED in verdict("autoencoder", ENDED, mixed.claim(mixed.test()))


def test_on_music_it_keeps_much_more_than_the_mean(features, trained, params) -> None:
    task = trained("autoencoder", params("autoencoder", steps=60, batch_size=64))
    of = task.test()["reconstruction"]
    assert of["value"] < 0.5 * of["mean"]
    assert of["interval"][0] < of["value"] < of["interval"][1]


def test_an_equaliser_adds_to_vectors_what_it_would_add_to_their_sound() -> None:
    mel = fake.tunes(["beat"])[0].mel[:64] + 3  # above the floor of silence
    curves = Equalisers(32, 12, 0.5).curves
    for curve in curves:
        changed = mel + curve[:32]
        one, other = (pooled(x, mfcc(x, 12), 64, 64)[0] for x in (changed, mel))
        assert np.allclose(one - other, curve, atol=2e-3)
    drawn = Equalisers(32, 12, 0.5).random(4000, np.random.default_rng(0))
    assert np.allclose(drawn.std(0), np.sqrt(np.square(curves).sum(0)), rtol=0.1, atol=1e-6)
    assert not Equalisers(32, 12, 0.0).random(3, np.random.default_rng(0)).any()


def test_components_beyond_what_the_rows_span_are_nothing() -> None:
    rows = np.random.default_rng(0).standard_normal((5, 8))
    rows -= rows.mean(0)
    components = PCA(rows, 6)
    assert np.allclose(components.rebuild(rows), rows)
    assert not components.axes[4:].any() and (components.scale[4:] == 1).all()


def test_a_run_that_was_interrupted_ends_in_the_same_weights(
    features, params, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.change_params(project, {"runtime": {"checkpoint_seconds": 0}})
    values = params("autoencoder", steps=30, dropout=0.2)

    def run(interrupt: Sequence[int] = ()) -> dict[str, torch.Tensor]:
        def observe(step: int, scores: dict[str, float]) -> str:
            if step in interrupt:
                raise KeyboardInterrupt
            return ""

        data, outlet = Data("autoencoder"), Outlet(Path("metrics/autoencoder"), observe)
        make = lambda: AutoencoderTask(values, data)  # noqa: E731
        return train(Stage("autoencoder"), values, 0, make, outlet).model.network.state_dict()

    with pytest.raises(KeyboardInterrupt):
        run(interrupt=[20])
    resumed = run()
    assert "resuming at step 19 of 30" in capsys.readouterr().out
    for path in Path(".cache").rglob("*.pt"):
        path.unlink()
    whole = run()
    assert "resuming" not in capsys.readouterr().out
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_a_model_of_other_columns_is_refused(features, make, params, project: Path) -> None:
    task = make("autoencoder", params("autoencoder"))
    task.model.config["n_mfcc"] = 20
    task.model.save(Path("models/autoencoder"))
    with pytest.raises(UserError, match="asks for"):
        TrainedAutoencoder.load(Path("models/autoencoder"), fake.AUDIO)
