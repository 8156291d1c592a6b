"""A stage's process and bytecode: libraries' is kept, the checkout's is never believed."""

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
from melodygan.pipeline.process import use_bytecode
{call}
sys.path[:0] = ["src", "libraries"]
import library, own.work
print(own.work.A, library.A)
"""
CALL = "use_bytecode(Path('src'))"


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


def bytecode(checkout: Path) -> set[str]:
    files = checkout.rglob("*.pyc")
    return {file.relative_to(checkout).as_posix().split(".")[0] for file in files}


def test_libraries_are_compiled_once_and_nothing_is_written_into_the_checkout(
    checkout: Path,
) -> None:
    assert run(checkout, "") == "1 1"
    assert bytecode(checkout) == set()
    assert run(checkout, CALL) == "1 1"
    assert bytecode(checkout) == {"libraries/__pycache__/library"}


def test_an_edit_of_equal_size_in_the_same_second_is_what_runs(checkout: Path) -> None:
    for name in ("src/own/work.py", "libraries/library.py"):
        path = checkout / name
        py_compile.compile(str(path))
        before = path.stat()
        path.write_text("A = 2\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(checkout, "") == "1 1", "as Python does it by itself"
    assert run(checkout, CALL) == "2 1"


def test_modules_found_before_the_call_do_not_hide_later_ones(checkout: Path) -> None:
    (checkout / "src/own/first.py").write_text("")
    before = f"sys.path.insert(0, 'src'); import own.first; {CALL}"
    assert run(checkout, before) == "1 1"
    assert "src/own/__pycache__/work" not in bytecode(checkout)
