"""The VQ-VAE: its codebook against the paper's formulas, and learning against the baseline."""

from dataclasses import replace
from pathlib import Path

import fake
import numpy as np
import pytest
import torch

from melodygan.models.vqvae.config import VQVAEParams
from melodygan.models.vqvae.model import TrainedVQVAE
from melodygan.models.vqvae.quantiser import Quantiser, perplexity
from melodygan.models.vqvae.raw import RawCodebooks
from melodygan.models.vqvae.training import HeldOut
from melodygan.pipeline import UserError
from melodygan.pipeline.params import parse
from melodygan.training.verdict import Outcome, verdict

LEARNING = {"steps": 150, "lr": 2e-3, "validate_every": 50, "stride": 4}


def quantiser(*books: list[list[float]], restart_below: float = 0.0) -> Quantiser:
    """With codebooks that are given, and in use."""
    torch.manual_seed(0)
    made = Quantiser(len(books), len(books[0]), len(books[0][0]), 0.9, restart_below)
    for book, codes in zip(made.books, books, strict=True):
        book.started.fill_(True)
        book.codes.copy_(torch.tensor(codes))
        book.sums.copy_(book.codes)
    return made


CODES = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]


def as_grid(vectors: list[list[float]]) -> torch.Tensor:
    return torch.tensor(vectors).T[None, :, None, :]  # (1, dim, 1, n)


def test_each_vector_gets_its_nearest_code() -> None:
    result = quantiser(CODES).eval()(as_grid([[0.1, -0.1], [0.9, 0.2], [4.0, 7.0]]))
    assert result.indices.flatten().tolist() == [0, 1, 3]
    assert torch.allclose(result.codes[0, :, 0, 1], torch.tensor([1.0, 0.0]))


def test_gradients_pass_straight_through() -> None:
    latents = as_grid([[0.1, -0.1], [0.9, 0.2]]).requires_grad_()
    (quantiser(CODES).eval()(latents).codes * 3).sum().backward()
    assert torch.equal(latents.grad, torch.full_like(latents, 3.0))


def test_commitment_is_the_mean_squared_distance_and_pulls_the_encoder_only() -> None:
    latents = as_grid([[0.5, 0.0], [0.0, 0.0]]).requires_grad_()
    loss = quantiser(CODES).eval()(latents).commitment
    assert loss.item() == pytest.approx(0.25 / 4)
    loss.backward()
    assert latents.grad.abs().sum() > 0


def test_codes_follow_the_moving_average_of_their_vectors() -> None:
    made = quantiser(CODES).train()
    made(as_grid([[1.2, 0.4], [0.8, 0.2]]))
    # appendix A.1: N = 0.9 * 1 + 0.1 * 2, m = 0.9 * (1, 0) + 0.1 * (2.0, 0.6)
    codes = made.books[0].codes
    assert torch.allclose(codes[1], torch.tensor([1.1, 0.06]) / 1.1)
    assert torch.allclose(codes[3], torch.tensor([5.0, 5.0]))  # unused: stays


def test_a_dead_code_is_restarted_on_data() -> None:
    made = quantiser(CODES, restart_below=0.92).train()
    vectors = [[1.2, 0.4], [0.8, 0.2], [0.1, 0.0], [0.0, 1.1]]
    made(as_grid(vectors))
    assert any(torch.allclose(made.books[0].codes[3], torch.tensor(v)) for v in vectors)


def test_the_first_batch_initialises_the_codes() -> None:
    made = Quantiser(2, 8, 2, 0.99, 0.0).train()
    data = 100 + torch.randn(1, 2, 4, 8)
    made(data)
    assert (made.books[0].codes - 100).abs().max() < 10
    assert made.books[1].codes.abs().max() < 10, "what the first one left"


def test_a_second_codebook_quantises_what_the_first_one_left() -> None:
    made = quantiser(CODES, [[0.0, 0.0], [0.2, 0.0], [0.0, -0.2], [9.0, 9.0]]).eval()
    result = made(as_grid([[1.19, 0.01], [5.0, 4.81]]))
    assert result.indices[0, :, 0].tolist() == [[1, 3], [1, 2]]
    assert torch.allclose(result.codes[0, :, 0], torch.tensor([[1.2, 5.0], [0.0, 4.8]]))
    assert torch.allclose(made.lookup(result.indices), result.codes)
    assert result.commitment.item() == pytest.approx((0.01**2 * 3) / 4, rel=1e-3)


def test_perplexity_counts_the_codes_in_use() -> None:
    assert perplexity(torch.zeros(50, dtype=torch.long), 16) == pytest.approx(1.0)
    assert perplexity(torch.arange(16).repeat(3), 16) == pytest.approx(16.0)


@pytest.mark.parametrize("restart_below", [0.125, 0.25, 0.49])
def test_codes_in_even_use_stay_whatever_the_threshold(restart_below: float) -> None:
    made = quantiser(CODES, restart_below=restart_below).train()
    (codebook,) = made.books
    codebook.use.fill_(2.0)
    codebook.sums.copy_(2 * codebook.codes)
    before = codebook.codes.clone()
    even = as_grid([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]] * 2)
    for _ in range(50):
        made(even)
    assert torch.allclose(codebook.codes, before, atol=1e-5)


def test_a_restarted_code_that_is_used_stays() -> None:
    """With four codes, eight vectors and a threshold of .5, a code that gets two is alive."""
    made = quantiser(CODES, restart_below=0.5).train()
    (codebook,) = made.books
    codebook.codes[3] = 100.0  # far from all data
    codebook.sums.copy_(codebook.codes)
    data = as_grid([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [9.0, 9.0]] * 2)
    for _ in range(200):
        made(data)
    settled = codebook.codes.clone()
    made(data)
    assert torch.equal(codebook.codes, settled)
    assert made.eval()(data).commitment < 1e-6


def test_training_beats_codes_of_raw_patches_on_test_tracks(trained, features, params) -> None:
    task = trained("vqvae", params("vqvae", **LEARNING | {"steps": 400}))
    scores = task.test()
    assert scores["log_mel_l1"] < 0.5 * scores["baseline_log_mel_l1"]
    assert scores["perplexity"] > 8
    assert 0 < scores["codebook_use"] <= 1
    claim = task.claim(scores)
    assert claim.reached > 0.25 and not claim.unclear
    assert "better than codes of raw patches" in verdict("vqvae", task.outcome, claim)
    assert ": works, " in verdict("vqvae", task.outcome, replace(claim, value=claim.ideal))


def test_a_second_codebook_makes_the_reconstruction_better(trained, features, params) -> None:
    one, two = (trained("vqvae", params("vqvae", codebooks=n, **LEARNING)) for n in (1, 2))
    assert two.test()["log_mel_l1"] < 0.95 * one.test()["log_mel_l1"]


def test_an_untrained_model_is_told_so(make, trained, features, params) -> None:
    task = trained("vqvae", params("vqvae", steps=1))
    scores = make("vqvae", params("vqvae")).test()
    assert "no better than codes of raw patches" in verdict(
        "vqvae", task.outcome, task.claim(scores)
    )


def test_a_model_that_has_learnt_noise_is_told_so(misled, params) -> None:
    music = fake.tunes(["beat", "drone"])
    task = misled("vqvae", params("vqvae", **LEARNING), fake.noise(music), music)
    learnt = TrainedVQVAE.load(Path("models/vqvae"), fake.AUDIO)
    task.mean, task.std = learnt.mean, learnt.std
    scores = task.test()
    assert scores["log_mel_l1"] < scores["baseline_log_mel_l1"], "how loud it is, any codes say"
    said = verdict("vqvae", Outcome(150, 150, 1.0, "", 3, False, ()), task.claim(scores))
    assert "no better than codes of raw patches, 0% of the way" in said


def test_codes_of_raw_patches_are_an_answer_of_the_same_bit_rate_that_more_bits_improve(
    make, features, params
) -> None:
    values = params("vqvae")
    held_out = HeldOut(make("vqvae", values).trained(), features, "test")

    def errors(**changes: int) -> list[float]:
        raw = RawCodebooks(features, replace(values, **changes), held_out.mean, 0)
        return [float(each.mean()) for each in raw.errors(held_out.mel)]

    same, doubled = errors()
    assert doubled < same < 0.7 * np.mean(held_out.baselines)
    assert errors(codebooks=2)[0] == pytest.approx(doubled, rel=0.05)
    assert errors(codebook_size=4)[0] > 1.1 * same
    state = torch.get_rng_state()
    assert errors() == [same, doubled]
    assert torch.equal(torch.get_rng_state(), state)


def test_a_saved_model_gives_the_same_codes_and_refuses_another_mel(
    make, features, params, tmp_path: Path
) -> None:
    model = make("vqvae", params("vqvae")).trained()
    model.save(tmp_path / "vqvae")
    again = TrainedVQVAE.load(tmp_path / "vqvae", features.audio)
    mel = np.random.default_rng(0).uniform(-11, 0, (2, 64, 32)).astype(np.float32)
    assert torch.equal(model.encode(mel), again.encode(mel))
    other = type(features.audio)(**{**features.audio.as_dict(), "fmax": 3000.0})
    with pytest.raises(UserError, match=r"fmax=4000.0.*fmax=3000.0"):
        TrainedVQVAE.load(tmp_path / "vqvae", other)


@pytest.mark.parametrize("frames", [1, 63, 1024, 2500])
def test_a_track_of_any_length_is_rebuilt_in_pieces_as_in_one(
    make, features, params, frames: int
) -> None:
    model = make("vqvae", params("vqvae")).trained()
    mel = np.random.default_rng(0).uniform(-11, 0, (frames, 32)).astype(np.float32)
    whole = np.pad(mel, ((0, -frames % 8), (0, 0)), "edge")
    expected = model.decode(model.encode(whole[None]))[0, :frames]
    assert np.allclose(model.rebuild(mel), expected, atol=1e-4)


def test_a_patch_that_does_not_fit_the_grid_is_refused_with_its_key(params) -> None:
    for name in ("frames", "crop"):
        values = {**vars(params("vqvae")), name: 66}
        with pytest.raises(UserError, match=rf"vqvae: {name} 66 must be a multiple of 8"):
            parse(VQVAEParams, values, "vqvae")
    with pytest.raises(UserError, match=r"vqvae: stride 5 must be even"):
        parse(VQVAEParams, {**vars(params("vqvae")), "stride": 5}, "vqvae")
