"""The VQ-VAE: its codebook against the paper's formulas, and learning against the baseline."""

from pathlib import Path

import pytest
import torch

from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.network import VQVAE
from melodygan.models.vqvae.quantiser import Codebook, perplexity
from melodygan.models.vqvae.training import VQVAETask, held_out_scores
from melodygan.pipeline import UserError
from melodygan.pipeline.params import parse
from melodygan.training.loop import train

PARAMS = VQVAEParams(
    steps=150,
    batch_size=4,
    lr=2e-3,
    validate_every=50,
    patience=0,
    max_minutes=0.0,
    sample_every=0,
    frames=64,
    channels=16,
    residual_blocks=1,
    downsamplings=2,
    codebook_size=32,
    code_dim=8,
    commitment=0.25,
    decay=0.9,
    restart_below=0.5,
)


def book(size: int = 4, dim: int = 2, restart_below: float = 0.0) -> Codebook:
    torch.manual_seed(0)
    codebook = Codebook(size, dim, 0.9, restart_below)
    codebook.started.fill_(True)
    codebook.codes.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]))
    codebook.sums.copy_(codebook.codes)
    return codebook


def as_grid(vectors: list[list[float]]) -> torch.Tensor:
    return torch.tensor(vectors).T[None, :, None, :]  # (1, dim, 1, n)


def test_each_vector_gets_its_nearest_code() -> None:
    result = book().eval()(as_grid([[0.1, -0.1], [0.9, 0.2], [4.0, 7.0]]))
    assert result.indices.flatten().tolist() == [0, 1, 3]
    assert torch.allclose(result.codes[0, :, 0, 1], torch.tensor([1.0, 0.0]))


def test_gradients_pass_straight_through() -> None:
    latents = as_grid([[0.1, -0.1], [0.9, 0.2]]).requires_grad_()
    (book().eval()(latents).codes * 3).sum().backward()
    assert torch.equal(latents.grad, torch.full_like(latents, 3.0))


def test_commitment_is_the_mean_squared_distance_and_pulls_the_encoder_only() -> None:
    latents = as_grid([[0.5, 0.0], [0.0, 0.0]]).requires_grad_()
    loss = book().eval()(latents).commitment
    assert loss.item() == pytest.approx(0.25 / 4)
    loss.backward()
    assert latents.grad.abs().sum() > 0


def test_codes_follow_the_moving_average_of_their_vectors() -> None:
    codebook = book().train()
    codebook(as_grid([[1.2, 0.4], [0.8, 0.2]]))
    # appendix A.1: N = 0.9 * 1 + 0.1 * 2, m = 0.9 * (1, 0) + 0.1 * (2.0, 0.6)
    assert torch.allclose(codebook.codes[1], torch.tensor([1.1, 0.06]) / 1.1)
    assert torch.allclose(codebook.codes[3], torch.tensor([5.0, 5.0]))  # unused: stays


def test_a_dead_code_is_restarted_on_data() -> None:
    codebook = book(restart_below=0.95).train()
    vectors = [[1.2, 0.4], [0.8, 0.2], [0.1, 0.0], [0.0, 1.1]]
    codebook(as_grid(vectors))
    assert any(torch.allclose(codebook.codes[3], torch.tensor(v)) for v in vectors)


def test_the_first_batch_initialises_the_codes() -> None:
    codebook = Codebook(8, 2, 0.99, 0.0).train()
    data = 100 + torch.randn(1, 2, 4, 8)
    codebook(data)
    assert (codebook.codes - 100).abs().max() < 10


def test_perplexity_counts_the_codes_in_use() -> None:
    assert perplexity(torch.zeros(50, dtype=torch.long), 16) == pytest.approx(1.0)
    assert perplexity(torch.arange(16).repeat(3), 16) == pytest.approx(16.0)


def test_training_beats_the_mean_spectrum_on_test_tracks(stage, features) -> None:
    task = train(stage("vqvae"), PARAMS, 0, lambda: VQVAETask(PARAMS, features))
    scores = held_out_scores(task.trained(), features, "test")
    assert scores["log_mel_l1"] < 0.5 * scores["baseline_log_mel_l1"]
    assert scores["perplexity"] > 8
    assert 0 < scores["codebook_use"] <= 1


def test_a_saved_model_gives_the_same_codes_and_refuses_another_mel(
    features, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = VQVAE(PARAMS)
    network.train()(torch.randn(2, 32, 64))
    model = TrainedVQVAE(network, PARAMS, features.audio, -5.0, 3.0)
    model.save(tmp_path / "vqvae")
    again = TrainedVQVAE.load(tmp_path / "vqvae", features.audio)
    mel = torch.randn(2, 32, 64)
    assert torch.equal(model.encode(mel), again.encode(mel))
    other = type(features.audio)(**{**features.audio.as_dict(), "fmax": 3000.0})
    with pytest.raises(UserError, match=r"fmax=4000.0.*fmax=3000.0"):
        TrainedVQVAE.load(tmp_path / "vqvae", other)


def test_a_patch_that_does_not_fit_the_grid_is_refused_with_its_key() -> None:
    values = {**vars(PARAMS), "frames": 66}
    with pytest.raises(UserError, match=r"vqvae: frames 66 must be a multiple of 4"):
        parse(VQVAEParams, values, "vqvae")
