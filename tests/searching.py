"""Searches in processes of their own, for tests that kill some."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fake
from ruamel.yaml import YAML

SPACE = {"steps": 24, "lr": {"log": [1e-3, 1e-2]}, "commitment": {"float": [0.1, 1.0]}}


def write_space(**groups: Any) -> None:
    """Write ./tune.yaml."""
    YAML().dump(groups, Path("tune.yaml"))


@contextmanager
def start(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """`melodygan` here, in a process of its own, which ends with the block at the latest."""
    process = subprocess.Popen(
        [sys.executable, "-m", "melodygan.cli", *arguments],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(fake.ROOT / "src")},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(true: Callable[[], bool], seconds: float = 400) -> None:
    """Wait for something that another process brings about."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
