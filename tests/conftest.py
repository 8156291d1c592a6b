"""One torch thread per process, before any library loads: tests share small machines."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no process waits for the other at the end."""
    items.sort(key=lambda item: "/whole/" not in item.path.as_posix())
