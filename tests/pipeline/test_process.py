"""A stage's process and bytecode: libraries' is kept, the checkout's is held against its source."""

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
from melodygan.pipeline.bytecode import require_checked
from melodygan.pipeline.process import keep_bytecode
{call}
sys.path[:0] = ["src", "libraries"]
import library, own.work
print(own.work.A, library.A)
"""
CALL = "require_checked(Path('src')); keep_bytecode()"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a module of its own and a library beside it."""
    for name in ("src/own/work.py", "libraries/library.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("A = 1\n")
    return tmp_path


def run(checkout: Path, call: str) -> str:
    """What a process says that has PYTHONDONTWRITEBYTECODE set."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(call=call)], cwd=checkout, text=True, check=True,
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.stdout.strip()


def test_what_is_imported_is_compiled_once(checkout: Path) -> None:
    assert run(checkout, "") == "1 1"
    assert not list(checkout.rglob("*.pyc"))
    assert run(checkout, CALL) == "1 1"
    assert len(list(checkout.rglob("*.pyc"))) == 2


@pytest.mark.parametrize("compiled", ["by Python", "by a stage"])
def test_an_edit_of_equal_size_in_the_same_second_is_what_runs(
    checkout: Path, compiled: str
) -> None:
    paths = [checkout / name for name in ("src/own/work.py", "libraries/library.py")]
    for path in paths:
        py_compile.compile(str(path))
    if compiled == "by a stage":
        run(checkout, CALL)
    for path in paths:
        before = path.stat()
        path.write_text("A = 2\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    if compiled == "by Python":
        assert run(checkout, "") == "1 1", "as Python does it by itself"
    assert run(checkout, CALL) == "2 1"
