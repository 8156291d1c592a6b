import pytest

from melodygan.separation.separate import StemSeparator


@pytest.fixture(scope="session")
def demo_separator() -> StemSeparator:
    """The shipped model, loaded once for all tests: that takes longer than any of them."""
    return StemSeparator("demo")
