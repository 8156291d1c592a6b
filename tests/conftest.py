"""One torch thread per process, before any library loads: tests share small machines."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no process waits for the other at the end."""
    items.sort(key=lambda item: "/whole/" not in item.path.as_posix())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium: `apt-get install chromium` (.ci/run does so as root)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program)
        yield started
        started.close()
