"""Set distances against closed forms and against the ways in which a generator can cheat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from melodygan.scores import distances
from melodygan.scores.intervals import Compare
from melodygan.scores.rows import Rows

Matrix = NDArray[np.float64]


def apart(values: Matrix) -> Rows:
    """Clips of which each is a track of its own."""
    return Rows(values, np.arange(len(values)))


def plain(compare: Compare, clips: Rows, reference: Rows) -> float:
    return float(
        compare(clips, reference, *(np.ones((1, r.tracks)) for r in (clips, reference)))[0]
    )


def frechet_distance(a: Matrix, b: Matrix) -> float:
    return plain(distances.frechet_distance, apart(a), apart(b))


def kernel_distance(a: Matrix, b: Matrix) -> float:
    return plain(distances.kernel_distance, apart(a), apart(b))


def order_auc(a: list[float], b: list[float]) -> float:
    rows = [apart(np.array(values)[:, None]) for values in (a, b)]
    return plain(distances.order_auc, *rows)


def near(clips: Matrix, train: Matrix) -> Rows:
    return apart(distances.nearest(clips, train)[:, None])


def memorisation(generated: Matrix, train: Matrix, held_out: Matrix) -> float:
    return plain(distances.memorisation, near(generated, train), near(held_out, train))


def copied(generated: Matrix, train: Matrix, held_out: Matrix) -> float:
    return plain(distances.copied, near(generated, train), near(held_out, train))


def normal(count: int, seed: int, shift: float = 0.0, scale: float = 1.0, dims: int = 4) -> Matrix:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, dims)) * scale + shift


def songs(count: int, seed: int, clips: int = 20) -> Rows:
    """Tracks whose clips are much more like each other than like those of other tracks."""
    rng = np.random.default_rng(seed)
    middles = np.repeat(rng.standard_normal((count, 4)), clips, axis=0)
    return Rows(middles + 0.2 * rng.standard_normal(middles.shape), np.arange(count).repeat(clips))


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


def test_kernel_distance_of_other_songs_of_one_kind_is_nothing_on_average() -> None:
    """Which it is not where clips of one song are counted as if they were independent."""
    pairs = [(songs(5, s), songs(5, s + 100)) for s in range(60)]
    by_track = np.array([plain(distances.kernel_distance, a, b) for a, b in pairs])
    as_if_independent = np.mean([kernel_distance(a.values, b.values) for a, b in pairs])
    assert abs(by_track.mean()) < 3 * by_track.std() / np.sqrt(60)
    assert as_if_independent > 5 * abs(by_track.mean())


def test_kernel_distance_grows_with_the_difference() -> None:
    real = normal(150, 0)
    values = [kernel_distance(normal(150, 1, shift), real) for shift in (0.0, 0.5, 1.0, 3.0)]
    assert values == sorted(values)
    assert values[1] > 0.01
    assert kernel_distance(normal(150, 1, scale=0.1), real) > 0.1, "a collapse without a shift"


def test_a_scattered_set_cannot_widen_the_kernel_in_its_own_favour() -> None:
    real = normal(100, 0)
    assert kernel_distance(normal(100, 1, scale=1000.0), real) > 0.3


def test_one_track_alone_can_still_be_compared_with() -> None:
    one = Rows(normal(30, 0), np.zeros(30, int))
    assert plain(distances.kernel_distance, apart(normal(30, 1)), one) == pytest.approx(0, abs=0.05)
    assert plain(distances.kernel_distance, apart(normal(30, 1, 3.0)), one) > 0.3


def test_order_auc_counts_pairs_and_halves_ties() -> None:
    assert order_auc([0.0, 1.0], [2.0, 3.0]) == 1.0
    assert order_auc([5.0], [2.0, 3.0]) == 0.0
    assert order_auc([2.0, 2.0], [2.0, 3.0, 1.0]) == pytest.approx((1 + 2 * 0.5 + 1) / 6 + 0)


def test_memorisation_of_copies_is_nothing_and_of_new_clips_about_one() -> None:
    train, held_out = normal(200, 0), normal(100, 1)
    assert memorisation(train[:50], train, held_out) == pytest.approx(0, abs=1e-6)
    assert memorisation(train[:50] + 1e-3, train, held_out) < 0.01
    assert memorisation(normal(100, 2), train, held_out) == pytest.approx(1, abs=0.2)
    assert memorisation(held_out, train, held_out) == 1.0
    assert memorisation(normal(100, 2, shift=9.0), train, held_out) > 3


def test_a_partial_memoriser_shows_in_the_share_of_copies_if_not_in_the_median() -> None:
    train, held_out = normal(200, 0), normal(100, 1)
    partly = np.concatenate([train[:30] + 1e-3, normal(70, 2)])
    assert memorisation(partly, train, held_out) > 0.5, "the median does not tell"
    new = copied(normal(100, 2), train, held_out)
    assert copied(partly, train, held_out) == pytest.approx(0.3 + 0.7 * new, abs=0.05)
    assert copied(train, train, held_out) == 1.0


@pytest.mark.parametrize(
    "compare", [distances.frechet_distance, distances.kernel_distance], ids=["frechet", "kernel"]
)
def test_a_track_of_weight_two_is_a_track_that_is_there_twice(compare: Compare) -> None:
    a, b = songs(4, 0), songs(3, 1)
    doubled = compare(a, b, np.array([[2.0, 1.0, 1.0, 1.0]]), np.ones((1, 3)))[0]
    values, track = (np.concatenate([part, part[:20]]) for part in (a.values, a.track))
    assert doubled == pytest.approx(plain(compare, Rows(values, track), b), rel=0.02)  # n - 1
    assert doubled != pytest.approx(plain(compare, a, b), rel=0.03)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_medians_of_equal_weights_are_plain_medians(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((count, 1)) + 0.1
    ratio = plain(distances.memorisation, apart(values), apart(np.ones((1, 1))))
    assert ratio == pytest.approx(float(np.median(values)))
