import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodygan.separation.si_sdr import si_sdr

REFERENCE = np.array([[1.0], [0.0]], np.float32)


def test_an_error_at_right_angles_counts_by_its_energy() -> None:
    estimate = np.array([[1.0], [0.1]], np.float32)  # a hundredth of the energy: 20 dB
    assert si_sdr(estimate, REFERENCE) == pytest.approx(20.0, abs=1e-5)


def test_45_degrees_are_0_db() -> None:
    assert si_sdr(np.array([[3.0], [3.0]], np.float32), REFERENCE) == pytest.approx(0.0, abs=1e-9)


def test_channels_count_as_one_signal() -> None:
    reference = np.array([[2.0, 1.0], [0.0, 1.0]], np.float32)
    estimate = np.array([[2.0, 1.0], [1.0, 1.0]], np.float32)
    # projection (6/6) of the estimate is the reference; the rest has energy 1 of 6
    assert si_sdr(estimate, reference) == pytest.approx(10 * np.log10(6), abs=1e-9)


@settings(deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_the_scale_of_either_signal_does_not_matter(first: float, second: float) -> None:
    random = np.random.default_rng(0)
    reference = random.standard_normal((500, 2)).astype(np.float32)
    estimate = reference + 0.3 * random.standard_normal((500, 2)).astype(np.float32)
    scaled = si_sdr(np.float32(first) * estimate, np.float32(second) * reference)
    assert scaled == pytest.approx(si_sdr(estimate, reference), abs=1e-3)


def test_the_range_is_100_db_either_way() -> None:
    assert si_sdr(REFERENCE, REFERENCE) == 100.0
    assert si_sdr(REFERENCE[::-1].copy(), REFERENCE) == -100.0
    assert si_sdr(np.zeros_like(REFERENCE), REFERENCE) == -100.0


def test_a_silent_reference_and_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="silent"):
        si_sdr(REFERENCE, np.zeros_like(REFERENCE))
    with pytest.raises(ValueError, match="differ"):
        si_sdr(REFERENCE, REFERENCE.T)
