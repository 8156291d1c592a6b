"""Set distances against closed forms and against the ways in which a generator can cheat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.scores.distances import coverage, frechet_distance, kernel_distance, memorisation

Matrix = NDArray[np.float64]


def normal(count: int, seed: int, shift: float = 0.0, scale: float = 1.0, dims: int = 4) -> Matrix:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, dims)) * scale + shift


def with_moments(mean: Matrix, covariance: Matrix, seed: int) -> Matrix:
    """Points whose sample mean and covariance are exactly these."""
    raw = normal(50, seed, dims=len(mean))
    raw = raw - raw.mean(0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_of_a_set_to_itself_is_nothing() -> None:
    clips = normal(40, 0)
    assert frechet_distance(clips, clips) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_a_shift_is_its_square() -> None:
    clips = normal(40, 0)
    assert frechet_distance(clips, clips + np.array([3.0, 0, 4.0, 0])) == pytest.approx(25)


def test_frechet_distance_of_commuting_covariances_has_its_closed_form() -> None:
    a = with_moments(np.zeros(3), np.diag([1.0, 4.0, 9.0]), 1)
    b = with_moments(np.array([1.0, 0, 0]), np.diag([4.0, 4.0, 1.0]), 2)
    assert frechet_distance(a, b) == pytest.approx(1 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_frechet_distance_agrees_with_the_square_root_of_the_product(seed: int) -> None:
    """The textbook formula trace(A + B - 2 (A B)^(1/2)), by the eigenvalues of A B."""
    rng = np.random.default_rng(seed)
    one, two = rng.standard_normal((2, 3, 3))
    cov_a, cov_b = one @ one.T + np.eye(3) * 0.1, two @ two.T + np.eye(3) * 0.1
    a, b = with_moments(np.zeros(3), cov_a, 1), with_moments(np.zeros(3), cov_b, 2)
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real).sum()
    wanted = np.trace(cov_a) + np.trace(cov_b) - 2 * roots
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-6, abs=1e-8)
    assert frechet_distance(b, a) == pytest.approx(wanted, rel=1e-6, abs=1e-8)


def test_frechet_distance_survives_fewer_clips_than_dimensions() -> None:
    few, others = normal(5, 0, dims=16), normal(5, 1, dims=16)
    assert np.isfinite(frechet_distance(few, others))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


def test_kernel_distance_of_equal_distributions_is_about_nothing() -> None:
    values = [kernel_distance(normal(150, s), normal(150, s + 100)) for s in range(8)]
    assert abs(np.mean(values)) < 0.002
    assert min(values) < 0, "unbiased, so that it falls on both sides"


def test_kernel_distance_grows_with_the_difference() -> None:
    real = normal(150, 0)
    values = [kernel_distance(normal(150, 1, shift), real) for shift in (0.0, 0.5, 1.0, 3.0)]
    assert values == sorted(values)
    assert values[1] > 0.01
    assert kernel_distance(normal(150, 1, scale=0.1), real) > 0.1, "a collapse without a shift"


def test_a_scattered_set_cannot_widen_the_kernel_in_its_own_favour() -> None:
    real = normal(100, 0)
    assert kernel_distance(normal(100, 1, scale=1000.0), real) > 0.3


def test_coverage_of_equal_distributions_is_high_and_of_itself_whole() -> None:
    real = normal(150, 0)
    assert coverage(real, real) == 1.0
    assert coverage(normal(150, 1), real) > 0.9


def test_coverage_of_a_collapsed_set_is_low() -> None:
    real = normal(150, 0)
    assert coverage(np.repeat(real[:1], 150, axis=0), real) < 0.2
    assert coverage(normal(150, 1, shift=50.0), real) == 0.0


def test_coverage_needs_no_more_reference_clips_than_there_are() -> None:
    assert 0 <= coverage(normal(3, 1), normal(3, 0)) <= 1


def test_memorisation_of_copies_is_nothing_and_of_new_clips_about_one() -> None:
    train, held_out = normal(200, 0), normal(100, 1)
    assert memorisation(train[:50], train, held_out) == pytest.approx(0, abs=1e-6)
    assert memorisation(train[:50] + 1e-3, train, held_out) < 0.01
    assert memorisation(normal(100, 2), train, held_out) == pytest.approx(1, abs=0.2)
    assert memorisation(held_out, train, held_out) == 1.0
    assert memorisation(normal(100, 2, shift=9.0), train, held_out) > 3
